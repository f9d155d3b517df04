"""The embedded queue: jobs a second, how soon a message wakes another process, what waiting costs.

A job is sent by one process, then leased and done by one of the consumers, each a process. The bodies are as long as
those of real jobs. Every figure is the median of three runs, or of all messages where they are single ones.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import TypeVar

from common import table
from visage.sqlite.queue import SqliteQueue

T = TypeVar("T")
JOBS = 10_000
BODY = "x" * 250
RUNS = 3
WAKES = 300
PROCESSES = multiprocessing.get_context("spawn")


def main() -> None:
    rows = [("send, one process", f"{median(on_new_file(sends) for _ in range(RUNS)):,.0f} messages/s")]
    for limit in (8, 1):
        rate = median(on_new_file(partial(jobs, limit=limit)) for _ in range(RUNS))
        rows.append((f"send -> lease -> done, two consumers, {limit} at a time", f"{rate:,.0f} jobs/s"))
    late, idle = on_new_file(waiting)
    rows.append(("wake-up in another process, p50", f"{late[len(late) // 2] * 1e3:.2f} ms"))
    rows.append(("wake-up in another process, p99", f"{late[len(late) * 99 // 100] * 1e3:.2f} ms"))
    rows.append(("CPU of a consumer that waits", f"{idle * 100:.2f} % of a core"))
    table("The queue in an SQLite file", rows)


def on_new_file(measure: Callable[[Path], T]) -> T:
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder) / "queue.sqlite")


def sends(path: Path) -> float:
    with closing(SqliteQueue(path)) as queue:
        started = time.perf_counter()
        for i in range(JOBS):
            queue.send(BODY, key=str(i))
        return JOBS / (time.perf_counter() - started)


def jobs(path: Path, limit: int) -> float:
    """Jobs a second from the first one sent to the last one done, while sending goes on."""
    SqliteQueue(path).close()
    pipes = [PROCESSES.Pipe() for _ in range(3)]
    count = JOBS if limit > 1 else JOBS // 2
    workers = [PROCESSES.Process(target=produce, args=(path, count, pipes[0][1]))]
    workers += [PROCESSES.Process(target=consume, args=(path, limit, pipe[1])) for pipe in pipes[1:]]
    for worker in workers:
        worker.start()
    for ours, _ in pipes:
        ours.recv()  # it is ready
    started = time.perf_counter()
    for ours, _ in pipes:
        ours.send("go")
    with closing(SqliteQueue(path)) as queue:
        while not pipes[0][0].poll() or queue.depth().waiting + queue.depth().in_flight:
            time.sleep(0.005)
    taken = time.perf_counter() - started
    for worker in workers:
        worker.kill()
        worker.join()
    return count / taken


def produce(path: Path, count: int, pipe: Connection) -> None:
    with closing(SqliteQueue(path)) as queue:
        pipe.send("ready")
        pipe.recv()
        for i in range(count):
            queue.send(BODY, key=str(i))
        pipe.send("all sent")


def consume(path: Path, limit: int, pipe: Connection) -> None:
    with closing(SqliteQueue(path)) as queue:
        pipe.send("ready")
        pipe.recv()
        while True:
            queue.done([delivery.receipt for delivery in queue.receive(limit, 10)])


def waiting(path: Path) -> tuple[list[float], float]:
    """Seconds from before each send to the message being in another process' hand, sorted; and the share of a core
    that this process takes while nothing is sent."""
    ours, theirs = PROCESSES.Pipe()
    with closing(SqliteQueue(path)) as queue:
        worker = PROCESSES.Process(target=listen, args=(path, theirs))
        worker.start()
        ours.recv()
        late = []
        for _ in range(WAKES):
            time.sleep(0.01)
            queue.send(repr(time.monotonic()))
            late.append(ours.recv())
        queue.send("sleep")
        time.sleep(5)
        queue.send("tell")
        idle = ours.recv()
        worker.kill()
        worker.join()
    return sorted(late), idle


def listen(path: Path, pipe: Connection) -> None:
    slept, worked = 0.0, 0.0
    with closing(SqliteQueue(path)) as queue:
        pipe.send("ready")
        while True:
            (delivery,) = queue.receive(1, 20)
            now = time.monotonic()
            queue.done([delivery.receipt])
            if delivery.body == "sleep":
                slept, worked = now, time.process_time()
            elif delivery.body == "tell":
                pipe.send((time.process_time() - worked) / (now - slept))
            else:
                pipe.send(now - float(delivery.body))


if __name__ == "__main__":
    main()
