"""What the benchmarks share: data, timing, tables."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def shared_data() -> Path | None:
    """The folder of more faces, videos and models; None on most machines."""
    folder = Path(os.environ.get("VISAGE_SHARED_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def samples() -> Path:
    """The sample photos that everybody can fetch."""
    folder = Path(os.environ.get("VISAGE_SAMPLES") or ROOT / ".samples")
    if not (folder / "obama.jpg").is_file():
        raise SystemExit(f"no sample photos in {folder}; fetch them with: python demo/samples.py .samples")
    return folder


# A turn lasts so many seconds at least: a short task is repeated, so that it is not always the one that finds its data
# gone from the processor's caches and its threads asleep after the long task of the others' turn.
TURN = 0.25


def in_turn(*tasks: Callable[[], object], rounds: int) -> list[float]:
    """The median seconds of each task, run in turns (A A A B A A A B ...): a machine that slows down slows all."""
    times: list[list[float]] = [[] for _ in tasks]
    for task in tasks:
        task()  # the first run pays for what later runs find warm
    for _ in range(rounds):
        for task, taken in zip(tasks, times, strict=True):
            turn = time.perf_counter()
            while True:
                start = time.perf_counter()
                task()
                end = time.perf_counter()
                taken.append(end - start)
                if end - turn > TURN:
                    break
    return [sorted(taken)[len(taken) // 2] for taken in times]


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    print(f"\n{title}")
    for name, figure in rows:
        print(f"  {name:{width}}  {figure}", flush=True)
