"""A ZIP of many photos through the service, against the bare engine that enrolls the same photos one after the other.

    python benchmarks/bulk.py [photos]

1,000 photos without a number: pictures of LFW, or, where those are not here, sample photos again and again. The service
runs in processes of its own with the shipped defaults, two workers, on a temporary home; all of it on 127.0.0.1. Engine
and service take turns, so that a machine that slows down slows both.
"""

import io
import json
import statistics
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from common import samples, shared_data, table
from load import Site, site
from visage import Engine, open_engine

PHOTOS = 1000
ROUNDS = 3

# So many of the photos are enrolled by the engine before and after the service's turn.
BARE = 4


def photos(count: int) -> list[tuple[str, Path]]:
    """Photos and whose they are: at most a few of one person, each another picture."""
    shared = shared_data()
    if shared is not None:
        found = sorted((shared / "lfw-dev" / "images").rglob("*.jpg"))[:count]
        return [(path.parent.name.replace("_", " "), path) for path in found]
    print("LFW is not here; sample photos stand in, again and again")
    faces = [samples() / name for name in ("obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg")]
    return [(f"Person {number:05}", faces[number % len(faces)]) for number in range(count)]


def packed(wanted: Sequence[tuple[str, Path]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, path in wanted:
            archive.write(path, f"people/{name}/{path.name}")
    return made.getvalue()


def bare(engine: Engine, wanted: Sequence[tuple[str, Path]], collection: str) -> float:
    """Photos a second."""
    start = time.perf_counter()
    for name, path in wanted:
        engine.enroll(str(path), name, collection=collection)
    return len(wanted) / (time.perf_counter() - start)


def bulk(here: Site, archive: bytes, collection: str) -> tuple[float, dict[str, Any], list[float]]:
    """Seconds from the request's start to the report; the report; how far it was at each look, 0 to 1."""
    start = time.perf_counter()
    job = ask(here, f"v1/bulk?collection={collection}", archive)["job"]["id"]
    far: list[float] = []
    while (state := ask(here, f"v1/jobs/{job}"))["status"] in {"queued", "running"}:
        far.append(state.get("progress", {}).get("progress", 0.0))
        time.sleep(0.25)
    taken = time.perf_counter() - start
    if state["status"] != "done":
        raise SystemExit(f"it failed: {state['error']}")
    return taken, state["report"], far


def ask(here: Site, path: str, data: bytes | None = None) -> dict[str, Any]:
    request = urllib.request.Request(here.url + path, data, {"Content-Type": "application/zip"} if data else {})
    with urllib.request.urlopen(request, timeout=120) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


@dataclass
class Turns:
    """A figure of each turn: photos a second, and milliseconds of processor time for a photo."""

    alone: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    alone_cpu: list[float] = field(default_factory=list)
    served_cpu: list[float] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)

    def take(self, here: Site, engine: Engine, wanted: Sequence[tuple[str, Path]], archive: bytes) -> None:
        """The engine with a part of the photos, the service with all, the engine again."""
        part, number = wanted[: len(wanted) // BARE], len(self.served)
        began = time.process_time()
        before = bare(engine, part, f"before{number}")
        own = time.process_time() - began
        began = spent(here)
        taken, self.report, far = bulk(here, archive, f"turn{number}")
        self.served_cpu.append(1e3 * (spent(here) - began) / len(wanted))
        self.alone.append((before + bare(engine, part, f"after{number}")) / 2)
        self.alone_cpu.append(1e3 * own / len(part))
        self.served.append(len(wanted) / taken)
        self.states.append(len(set(far)))
        if self.report["total"] != len(wanted):
            raise SystemExit(f"{self.report['total']} of {len(wanted)} photos are told of")


def spent(here: Site) -> float:
    """Seconds of processor time of workers and web tier so far."""
    processes = [*here.workers(), psutil.Process(here.running["web"].pid)]
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def main() -> None:
    wanted = photos(int(sys.argv[1]) if len(sys.argv) > 1 else PHOTOS)
    archive, turns = packed(wanted), Turns()
    with (
        site() as here,
        tempfile.TemporaryDirectory(prefix="visage-bulk-") as folder,
        open_engine(replace(here.settings, gallery=f"sqlite:///{folder}/bare.sqlite")) as engine,
    ):
        here.start_fleet(2, 2)
        here.start_web()
        here.await_workers(2)
        bare(engine, wanted[:20], "warm")
        bulk(here, packed(wanted[:40]), "warm")
        for _ in range(ROUNDS):
            turns.take(here, engine, wanted, archive)
    shares = [served / alone for served, alone in zip(turns.served, turns.alone, strict=True)]
    median = statistics.median
    rows = [
        ("ZIP", f"{len(archive) / 1e6:.1f} MB, {len({name for name, _ in wanted})} people"),
        ("bare engine", f"{median(turns.alone):.1f} a second, {median(turns.alone_cpu):.1f} ms of processor time each"),
        ("service", f"{median(turns.served):.1f} a second, {median(turns.served_cpu):.1f} ms of processor time each"),
        ("share", f"{median(shares):.0%} (must 70 %); {min(shares):.0%} to {max(shares):.0%}"),
        ("different states of progress, four looks a second", f"{min(turns.states)} at least"),
        ("outcomes", ", ".join(f"{count} {name}" for name, count in turns.report["outcomes"].items())),
    ]
    table(f"A ZIP of {len(wanted)} photos, two workers, from the request's start to the report", rows)


if __name__ == "__main__":
    main()
