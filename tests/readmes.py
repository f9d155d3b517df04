"""What a page tells to type, and whether it could be typed."""

import re
from pathlib import Path

import click

from visage.apps.cli.main import visage as program


def typed_in(text: str) -> list[str]:
    """What is to be typed, with continued lines joined."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def check_visage(words: list[str]) -> None:
    """words: those after `visage`. The command exists, and has these options."""
    command: click.Command = program
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"visage has no command {' '.join(words)}"
        command = found
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, words


def check_links(folder: Path, text: str) -> None:
    """Those of a page in this folder lead somewhere."""
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [link for link in links if not (folder / link).exists()] == []
