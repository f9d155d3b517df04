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


def in_turn(*tasks: Callable[[], object], rounds: int) -> list[float]:
    """The median seconds of each task, run in turn (A B A B ...), so that a machine that slows down slows all."""
    times: list[list[float]] = [[] for _ in tasks]
    for task in tasks:
        task()  # the first run pays for what later runs find warm
    for _ in range(rounds):
        for task, taken in zip(tasks, times, strict=True):
            start = time.perf_counter()
            task()
            taken.append(time.perf_counter() - start)
    return [sorted(taken)[len(taken) // 2] for taken in times]


def table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in rows)
    print(f"\n{title}")
    for name, figure in rows:
        print(f"  {name:{width}}  {figure}", flush=True)
