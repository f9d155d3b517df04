"""visage watch."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from visage.apps import watching
from visage.apps.cli.output import Context, as_json, complain, in_collection, one_line, with_context
from visage.apps.watching import Audience, Bell, Folders
from visage.core.every import HELP
from visage.core.serverless.results import json_key, text_key
from visage.settings import Settings

# Processes where none are asked for: as many as cores, up to this; each may need half a gigabyte.
_MOST = 8

_folder = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("inputs", type=_folder, metavar="INPUT")
@click.option("--output", "outputs", type=_folder, help="Where names go.  [default: INPUT-names, beside INPUT]")
@click.option("--stage", type=_folder, help="Where frames lie meanwhile.  [default: a folder in VISAGE_HOME/stage]")
@click.option("--every", metavar="1s|10f|12x|first|keys|all", help=f"Which frames of a video ({HELP}).  [default: 1s]")
@click.option("--chunk", type=click.IntRange(1), help="Frames that are recognized together.  [default: 10]")
@click.option("--segment", type=click.FloatRange(0), help="Cut pieces of so many seconds, not frames.  [default: 0]")
@click.option("--workers", type=click.IntRange(1), help="Processes at work.  [default: as many as cores, 8 at most]")
@click.option("--once", is_flag=True, help="Do what is there, and end: with 1 if something failed.")
@in_collection
@as_json
@with_context
def watch(
    context: Context,
    inputs: Path,
    outputs: Path | None,
    stage: Path | None,
    every: str | None,
    chunk: int | None,
    segment: float | None,
    workers: int | None,
    once: bool,
    collection: str | None,
    as_json: bool,
) -> None:
    """Name the people in every video that is put into a folder.

    clip.mp4 in INPUT gives clip.txt, the names, most seen first, one a line, and clip.json, the whole of it; other
    kinds keep their end (clip.mov.txt). A text that begins with `error:` says what was wrong. Pictures put under
    pictures/ in the stage are named too. A file is taken once it is whole; hidden ones, those of unfinished downloads
    (.part, .crdownload, .tmp, ~) and links are left alone.

    What came while nobody watched is done first, whoever was killed in the midst of it; nothing is done twice. Put
    there again, a video is done again. Nothing in INPUT or among the names is ever deleted. SIGTERM or Ctrl-C: what is
    under way is finished, or gone on with next time.
    """
    settings = context.settings(every=every, chunk=chunk, segment=segment, collection=collection)
    folders = Folders(inputs, stage or _stage(inputs, settings), outputs or _names(inputs))
    bell = Bell()
    interrupted: list[bool] = []

    def end(number: int, _frame: object) -> None:
        interrupted.append(number == signal.SIGINT)
        bell.ring()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    board = _Board(folders.outputs, as_json=as_json)
    audience = Audience(board.result, complain, board.progress)
    try:
        failed = watching.run(settings, folders, bell, audience, workers=workers or _cores(), once=once)
    finally:
        board.close()
    if any(interrupted):
        raise KeyboardInterrupt
    if once and failed:
        complain(f"{len(failed)} failed: {', '.join(failed)}")
        sys.exit(1)


def _names(inputs: Path) -> Path:
    whole = inputs.absolute()
    return whole.with_name(f"{whole.name}-names")


def _stage(inputs: Path, settings: Settings) -> Path:
    """One for each folder that is watched: what is of no upload in the inputs is deleted from it."""
    return settings.home / "stage" / sha256(os.fsencode(inputs.resolve())).hexdigest()[:16]


def _cores() -> int:
    return min(_MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class _Board:
    """A line for each result on standard output; where standard error is a terminal, a bar there."""

    def __init__(self, outputs: Path, *, as_json: bool) -> None:
        self._outputs = outputs
        self._as_json = as_json
        self._shown: tuple[int, int, int] | None = None
        self._bar: Any = tqdm(
            total=0, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} videos [{elapsed}{postfix}]",
        )  # fmt: skip

    def result(self, result: Mapping[str, Any]) -> None:
        key = str(result["source"]["key"])
        error = str(result["error"]["detail"]).removeprefix(f"{key}: ") if "error" in result else None
        names = list(result["answer"]["names"]) if "answer" in result else []
        missing = sum(one["to"] - one["from"] for one in result.get("missing", ()))
        with tqdm.external_write_mode():
            if self._as_json:
                places = {"text": str(self._outputs / text_key(key)), "json": str(self._outputs / json_key(key))}
                line = {"source": key, "status": result["status"], "names": names, "error": error, **places}
                click.echo(json.dumps(line, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf")))
            else:
                what = f"error: {error}" if error is not None else ", ".join(names) or "no face"
                lost = f"  [about {missing:.0f} s of it failed; see its JSON]" if missing and names else ""
                click.echo(one_line(f"{key}: {what}{lost}"))
            sys.stdout.flush()

    def progress(self, finished: int, known: int, waiting: int) -> None:
        if self._shown != (finished, known, waiting) and not self._bar.disable:
            self._shown = finished, known, waiting
            self._bar.total, self._bar.n = known, finished
            self._bar.set_postfix_str(f"{waiting} chunks wait" if waiting else "")

    def close(self) -> None:
        self._bar.close()
