"""The service under load: is anything lost, how much of the bare engine's rate is left, what does a request wait more.

    python benchmarks/load.py [requests throughput latency kills scaling backlog ...]

Without names all of them are measured. The service runs in processes of its own with the shipped defaults, an embedded
queue and folders in a temporary home; the load comes from load_client.py. All of it stays on 127.0.0.1.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from common import samples, shared_data, table
from visage import Engine, load_settings, open_engine
from visage.apps.face_recognition import recognize_name
from visage.core.service.reception import Asked, Reception
from visage.core.values import Job, JobKind
from visage.settings import Settings
from visage.wiring import open_objects, open_queue, open_replies

CLIENT = Path(__file__).with_name("load_client.py")
PEOPLE = {"Barack Obama": "obama.jpg", "Joe Biden": "biden.jpg"}
ASKED = ("obama2.jpg", "obama3.jpg", "biden.jpg", "obama.jpg", "obama_partial_face.jpg")
CORES = 2.0


@dataclass
class Site:
    """A home with people enrolled, and the processes that serve it."""

    home: Path
    environment: dict[str, str]
    port: int = 0
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return load_settings({"VISAGE_HOME": str(self.home), **self.environment})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, name: str, *words: str) -> None:
        """Run `visage WORDS` in the background; its log goes to NAME.log in the home."""
        environment = {**os.environ, **self.environment, "VISAGE_HOME": str(self.home)}
        with (self.home / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "visage.apps.cli.main", *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def start_web(self) -> None:
        self.start("web", "web", "--port", str(self.port))
        until(self.is_up, 20)

    def start_fleet(self, least: int, most: int) -> None:
        self.start("fleet", "autoscale", "--min", str(least), "--max", str(most))

    def await_workers(self, count: int) -> None:
        """Until so many can take work, and have each had a little to do."""
        until(lambda: self.log("fleet").count("a worker begins") >= count, 60)

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self, name: str) -> str:
        path = self.home / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.running["fleet"].pid).children() if "fleet" in self.running else []

    def stop(self) -> None:
        for process in reversed(self.running.values()):
            process.terminate()
        for process in self.running.values():
            process.wait(60)
        self.running.clear()


@contextmanager
def site(**settings: object) -> Iterator[Site]:
    """A home with the demo's people; models and converted networks are those of the user's own home."""
    own = load_settings()
    with tempfile.TemporaryDirectory(prefix="visage-load-") as folder:
        home = Path(folder)
        for name in ("models", "cache"):
            if (own.home / name).is_dir():
                shutil.copytree(own.home / name, home / name)
        environment = {f"VISAGE_{name.upper()}": str(value) for name, value in settings.items()}
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        made = Site(home, environment, port)
        with open_engine(made.settings) as registrar:
            for name, file in PEOPLE.items():
                registrar.enroll(str(samples() / file), name)
        try:
            yield made
        finally:
            made.stop()


def until(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit("the service does not come to it; its logs say why")
        time.sleep(0.02)


def ask(site: Site, photos: Sequence[tuple[Path, str | None]], requests: int, connections: int) -> dict[str, Any]:
    """What came of so many requests; blocks until all are answered."""
    words = {
        "url": site.url,
        "photos": [(str(path), name) for path, name in photos],
        "requests": requests,
        "connections": connections,
        "retry": 300,
    }
    command = [sys.executable, str(CLIENT)]
    done = subprocess.run(command, input=json.dumps(words) + "\n", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    tally: dict[str, Any] = json.loads(done.stdout)
    return tally


def expected(site: Site) -> list[tuple[Path, str | None]]:
    """Sample photos and the name that the bare engine gives."""
    with open_engine(site.settings) as engine:
        return [(samples() / file, recognize_name(engine, str(samples() / file))) for file in ASKED]


def computed(site: Site) -> tuple[int, int, int]:
    """Jobs stored; those computed once more for nothing; those stored twice, of which there must be none."""
    lines = [json.loads(line) for line in site.log("fleet").splitlines() if '"a job is done"' in line]
    first = Counter(line["id"] for line in lines if line["first"])
    again = sum(1 for line in lines if not line["first"])
    return len(first), again, sum(1 for count in first.values() if count > 1)


def said(tally: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("answered", f"{tally['answered']} in {tally['took']:.1f} s, {tally['answered'] / tally['took']:.1f} a second"),
        ("lost", f"{len(tally['lost'])} (must 0) {tally['lost'][:3] or ''}"),
        ("wrong", f"{len(tally['wrong'])} (must 0) {tally['wrong'][:3] or ''}"),
        ("503, 202, connections cut", f"{tally['busy']}, {tally['later']}, {tally['cut']}"),
    ]


def requests() -> None:
    """A thousand classic requests over a hundred connections."""
    with site() as here:
        photos = expected(here)
        here.start_fleet(0, 2)
        here.start_web()
        tally = ask(here, photos, 1000, 100)
        stored, again, twice = computed(here)
        rows = [*said(tally), ("stored; computed again; stored twice", f"{stored}; {again}; {twice} (must 0)")]
        rows.append(("p50, p99", f"{_ms(tally, 0.5)}, {_ms(tally, 0.99)}"))
        table("1,000 classic requests over 100 connections, the fleet at zero before", rows)


def kills() -> None:
    """The same while an app-tier process is killed every second, and in the middle the web tier."""
    with site() as here:
        photos = expected(here)
        here.start_fleet(0, 2)
        here.start_web()
        over = threading.Event()
        killed: list[int] = []
        killer = threading.Thread(target=_kill, args=(here, over, killed))
        killer.start()
        try:
            tally = ask(here, photos, 1000, 100)
        finally:
            over.set()
            killer.join()
        with closing(open_queue(here.settings)) as queue:
            dead = [letter.reason for letter in queue.dead()]
        stored, again, twice = computed(here)
        rows = [*said(tally), ("stored; computed again; stored twice", f"{stored}; {again}; {twice} (must 0)")]
        rows += [
            ("app-tier processes killed; web tier", f"{len(killed)}; 1"),
            ("dead letters", f"{len(dead)} (must 0)"),
        ]
        table("1,000 classic requests, an app-tier process killed every second, the web tier once", rows)


def _kill(here: Site, over: threading.Event, killed: list[int]) -> None:
    """Every second one that has work in hand: it began some time ago, and there is a queue."""
    with closing(open_queue(here.settings)) as queue:
        while not over.wait(1.0):
            depth = queue.depth()
            old = [one for one in here.workers() if time.time() - one.create_time() > 1.5]
            if old and depth.in_flight > 0:
                old[0].kill()
                killed.append(old[0].pid)
            if len(killed) == 8:
                killed.append(0)
                here.running["web"].kill()
                here.running["web"].wait()
                here.start_web()
        if 0 in killed:
            killed.remove(0)


def throughput() -> None:
    """The whole service against the bare engine, on the photo of six; turn by turn, so that drift hits both."""
    photo = group_photo()
    with site() as here, open_engine(here.settings) as bare:
        here.start_fleet(2, 2)
        here.start_web()
        here.await_workers(2)
        name = recognize_name(bare, str(photo))
        ask(here, [(photo, name)], 40, 16)
        shares, rates, alone, clients = [], [], [], []
        for _ in range(5):
            engines = _bare_rate(bare, photo, 6.0)
            tally = ask(here, [(photo, name)], round(8 * engines), 16)
            engines = (engines + _bare_rate(bare, photo, 6.0)) / 2
            cores = tally["processor"] / tally["took"]
            rate = tally["answered"] / tally["took"]
            shares.append(rate / (engines * (CORES - cores) / CORES))
            rates.append(rate)
            alone.append(engines)
            clients.append(cores)
        rows = [
            ("bare engine", f"{statistics.median(alone):.1f} a second"),
            ("service, 16 connections", f"{statistics.median(rates):.1f} a second"),
            ("the load client's cores", f"{statistics.median(clients):.2f}"),
            ("share of the bare rate", f"{statistics.median(shares):.0%} (must 70 %, aim 85 %); {_range(shares)}"),
        ]
        table(f"Throughput, {photo.name}, two workers", rows)


def latency() -> None:
    """What a request at light load waits beside the engine's own time."""
    photo = group_photo()
    with site() as here, open_engine(here.settings) as bare:
        here.start_fleet(1, 1)
        here.start_web()
        here.await_workers(1)
        name = recognize_name(bare, str(photo))
        ask(here, [(photo, name)], 20, 1)
        added, services, engines = [], [], []
        for _ in range(5):
            services.append(statistics.median(ask(here, [(photo, name)], 60, 1)["seconds"]))
            times = []
            for _ in range(60):
                start = time.perf_counter()
                bare.recognize(str(photo))
                times.append(time.perf_counter() - start)
            engines.append(statistics.median(times))
            added.append(1e3 * (services[-1] - engines[-1]))
        rows = [
            ("engine p50", f"{1e3 * statistics.median(engines):.1f} ms"),
            ("service p50", f"{1e3 * statistics.median(services):.1f} ms"),
            ("added", f"{statistics.median(added):.1f} ms (must 15, aim 5); {min(added):.1f} to {max(added):.1f}"),
        ]
        table(f"Latency at light load, {photo.name}, one worker", rows)


def scaling() -> None:
    """Two app-tier processes against one, the engine on one thread."""
    photo = group_photo()
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for size in (1, 2):
            with site(threads=1) as here:
                here.start_fleet(size, size)
                here.await_workers(size)
                rates[size].append(_drained(here, photo, 150 * size))
    ratio = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    rows = [(f"{size} app-tier", f"{statistics.median(rates[size]):.1f} a second") for size in (1, 2)]
    rows.append(("ratio", f"{statistics.median(ratio):.2f} (must 1.5, aim 1.7); {min(ratio):.2f} to {max(ratio):.2f}"))
    table(f"Scaling, {photo.name}, threads=1, jobs queued without a client", rows)


def backlog() -> None:
    """Ten thousand jobs queued while the fleet is at zero, then worked off."""
    photo = samples() / "obama_partial_face.jpg"
    with site() as here:
        start = time.perf_counter()
        ids = _submit(here, photo, 10_000)
        queued = time.perf_counter() - start
        here.start_fleet(0, 2)
        memory: list[int] = []
        outputs = open_objects(here.settings.outputs_url)
        with closing(open_queue(here.settings)) as queue:
            while (depth := queue.depth()).waiting or depth.in_flight:
                memory.append(
                    sum(_resident(one) for one in [psutil.Process(here.running["fleet"].pid), *here.workers()])
                )
                time.sleep(2.0)
        taken = time.perf_counter() - start - queued
        answered = sum(outputs.version(f"{one}/result.json") is not None for one in ids)
        third = len(memory) // 3
        early, late = max(memory[third : 2 * third]) / 1e6, max(memory[2 * third :]) / 1e6
        rows = [
            ("queued", f"10,000 in {queued:.1f} s"),
            ("answered", f"{answered} (must 10,000) in {taken:.0f} s, {answered / taken:.0f} a second"),
            ("memory, autoscaler and workers", f"{early:.0f} MB in the second third, {late:.0f} MB in the last"),
        ]
        table("10,000 jobs queued while the fleet is at zero", rows)


def _submit(here: Site, photo: Path, count: int) -> list[str]:
    settings = here.settings
    with closing(open_queue(settings)) as queue, closing(open_replies(settings)) as replies:
        ids = iter(f"{number:032x}" for number in range(1, count + 1))
        inputs, outputs = open_objects(settings.inputs_url), open_objects(settings.outputs_url)
        mailbox = replies.open()
        desk = Reception(inputs, outputs, queue, mailbox, now=time.time, new_id=lambda: next(ids))
        data = photo.read_bytes()
        sent = [desk.submit(Asked(Job(JobKind.RECOGNIZE, ()), [(photo.name, data)])).id for _ in range(count)]
        desk.close()
        return sent


def _drained(here: Site, photo: Path, count: int) -> float:
    """Jobs a second from the first to the last one taken off the queue."""
    with closing(open_queue(here.settings)) as queue:
        start = time.perf_counter()
        _submit(here, photo, count)
        until(lambda: queue.depth().waiting + queue.depth().in_flight == 0, 300)
        return count / (time.perf_counter() - start)


def _bare_rate(engine: Engine, photo: Path, seconds: float) -> float:
    engine.recognize(str(photo))
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        engine.recognize(str(photo))
        count += 1
    return count / (time.perf_counter() - start)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _ms(tally: dict[str, Any], share: float) -> str:
    times = sorted(tally["seconds"])
    return f"{1e3 * times[min(len(times) - 1, int(share * len(times)))]:.0f} ms" if times else "-"


def _range(shares: Sequence[float]) -> str:
    return f"{min(shares):.0%} to {max(shares):.0%}"


def group_photo() -> Path:
    shared = shared_data()
    if shared is None:
        print("the photo of six people is not here; a sample photo of one stands in")
        return samples() / "obama2.jpg"
    return shared / "photos" / "group_six_faces.jpg"


PARTS: dict[str, Callable[[], None]] = {
    "requests": requests,
    "throughput": throughput,
    "latency": latency,
    "kills": kills,
    "scaling": scaling,
    "backlog": backlog,
}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = sys.argv[1:] or list(PARTS)
    unknown = sorted(set(wanted) - set(PARTS))
    if unknown:
        raise SystemExit(f"there is no {unknown[0]}; there are: {', '.join(PARTS)}")
    for name in wanted:
        PARTS[name]()


if __name__ == "__main__":
    main()
