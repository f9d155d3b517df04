"""What the commands share: settings from options, progress, errors by line, exit codes."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from visage.core.errors import InputError, UsageError, VisageError
from visage.core.values import Frame, Media, Sighting
from visage.settings import Settings, load_settings

T = TypeVar("T")

# Kinds of characters that break a line, steer the terminal, or stand for a byte of a name that is no text.
_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}


@dataclass
class Context:
    """What the options before the command's name said."""

    home: str | None = None
    gallery: str | None = None

    def settings(self, **overrides: object) -> Settings:
        named = {"home": self.home, "gallery": self.gallery, **overrides}
        given = {name: value for name, value in named.items() if value is not None}
        return load_settings(None, **given)


@dataclass
class Failures:
    """Sources that could not be done, in the order they failed. Everything else goes on."""

    errors: list[dict[str, str]] = field(default_factory=list)

    def add(self, error: VisageError) -> None:
        """Say so in one line on standard error, and remember it for the exit code."""
        source = error.source if isinstance(error, InputError) else ""
        reason = error.reason if isinstance(error, InputError) else str(error)
        self.errors.append({"source": source, "error": type(error).__name__, "detail": reason})
        complain(str(error))

    @contextmanager
    def caught(self) -> Iterator[None]:
        """One source's worth of work: an `InputError` in it is this source's alone."""
        try:
            yield
        except InputError as error:
            self.add(error)

    @contextmanager
    def at_the_latest(self) -> Iterator[None]:
        """All the work: an error that makes the rest of it impossible, so that what was done can still be told."""
        try:
            yield
        except UsageError:
            raise
        except VisageError as error:
            self.add(error)

    def exit(self) -> None:
        """End with 1 if anything failed."""
        if self.errors:
            sys.exit(1)


def is_folder(source: str) -> bool:
    try:
        return Path(source).is_dir()
    except OSError:  # a name too long, a folder out of reach: whoever opens it says so
        return False


def one_line(text: str) -> str:
    """The text with control characters, as a file's name may hold them, spelled out."""
    return "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _ESCAPED else c for c in text
    )


def complain(message: str) -> None:
    """One line on standard error."""
    with tqdm.external_write_mode(file=sys.stderr):
        click.echo(f"visage: {one_line(message)}", err=True)


def progress(items: Iterable[T], *, total: int | None = None, unit: str = "file") -> Iterator[T]:
    """The items, with a bar on standard error where that is a terminal and there is more than one."""
    quiet = not sys.stderr.isatty() or (total is not None and total < 2)
    yield from tqdm(items, total=total, unit=unit, disable=quiet, leave=False, file=sys.stderr)


def print_json(data: object) -> None:
    ascii_only = not sys.stdout.encoding.lower().startswith("utf")
    click.echo(json.dumps(data, ensure_ascii=ascii_only, indent=1 if sys.stdout.isatty() else None))


def print_table(rows: list[list[str]], header: list[str]) -> None:
    """Columns padded to their widest cell; numbers are given as text."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss.t."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:02.0f}" if hours else f"{minutes}:{rest:04.1f}"


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
in_collection = click.option(
    "--collection", metavar="NAME", help="The collection of people to work in.  [default: default]"
)
with_context = click.make_pass_decorator(Context, ensure=True)


class FrameBar:
    """A watcher that shows how far into a video the work has come, where standard error is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, frame: Frame, _seen: Sequence[Sighting], media: Media) -> None:
        if media.duration and self._bar is None and sys.stderr.isatty():
            self._bar = tqdm(total=round(media.duration, 1), unit="s", leave=False, file=sys.stderr, desc=media.source)
        if self._bar is not None:
            self._bar.update(max(0.0, round(frame.time - self._bar.n, 2)))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
