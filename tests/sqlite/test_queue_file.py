"""The queue's file: who may read it, what else it may be, and what happens to it."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from visage.core.errors import StorageError, UsageError
from visage.sqlite.gallery import SqliteGallery
from visage.sqlite.queue import SqliteQueue
from visage.sqlite.queue_schema import SCHEMA

OPENING = """
import os, resource, sys
from pathlib import Path
from visage.core.errors import VisageError
from visage.sqlite.queue import SqliteQueue
path = Path(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "queue.sqlite"


def child(path: Path, script: str) -> list[str]:
    """The words that a script printed in another process."""
    command = [sys.executable, "-c", OPENING + textwrap.dedent(script), str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout.split()


def bodies(queue: SqliteQueue, limit: int = 100) -> list[str]:
    return [delivery.body for delivery in queue.receive(limit, 0)]


def test_only_its_owner_may_read_it(path: Path) -> None:
    with closing(SqliteQueue(path)) as queue:
        queue.send("secret")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_several_queues_in_one_file(path: Path) -> None:
    with closing(SqliteQueue(path)) as first, closing(SqliteQueue(path, name="others")) as second:
        first.send("a", key="same")
        second.send("b", key="same")
        (of_first,), (of_second,) = first.receive(5, 0), second.receive(5, 0)
        assert (of_first.body, of_second.body) == ("a", "b")
        assert second.done([of_first.receipt]) == [of_first.receipt]
        assert first.bury(of_first.receipt, "why")
        assert second.dead() == []
        assert second.replay() == 0
        assert (second.depth().waiting, second.depth().in_flight) == (0, 1)


def test_a_name_is_free_again_when_its_message_is_done(path: Path) -> None:
    with closing(SqliteQueue(path)) as queue:
        queue.send("first", key="a")
        queue.send("dropped while it waits", key="a")
        (delivery,) = queue.receive(5, 0)
        queue.send("dropped while it is leased", key="a")
        assert bodies(queue) == []
        queue.done([delivery.receipt])
        queue.send("second", key="a")
        assert bodies(queue) == ["second"]


def test_what_was_sent_stays(path: Path) -> None:
    with closing(SqliteQueue(path)) as queue:
        queue.send("a")
    with closing(SqliteQueue(path)) as queue:
        assert bodies(queue) == ["a"]


def test_after_the_machine_started_again_every_lease_is_over(path: Path) -> None:
    with closing(SqliteQueue(path, lease=3600, clock=lambda: 100_000.0)) as queue:
        for body in "abc":
            queue.send(body)
        queue.release([queue.receive(1, 0)[0].receipt], delay=3000)
        assert queue.receive(1, 0)[0].body == "b"
    with closing(SqliteQueue(path, lease=3600, clock=lambda: 20.0)) as queue:
        queue.send("d")
        assert queue.depth().oldest == 0
        assert bodies(queue) == ["a", "b", "c", "d"]


def test_the_clock_of_the_wall_does_not_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteQueue(path, lease=0.5)) as queue:
        queue.send("a")
        assert bodies(queue) == ["a"]
        monkeypatch.setattr(time, "time", lambda: 4e9)
        assert bodies(queue) == []
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert len(queue.receive(1, 5)) == 1


def test_files_of_another_kind_are_refused_and_left_alone(tmp_path: Path) -> None:
    gallery = tmp_path / "gallery.sqlite"
    SqliteGallery(gallery, create=True).close()
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as db:
        db.execute("CREATE TABLE messages (id)")
    for path in (gallery, foreign):
        with pytest.raises(UsageError, match="not a queue of Visage"):
            SqliteQueue(path)
    with closing(sqlite3.connect(foreign)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    text = tmp_path / "text.sqlite"
    text.write_text("no database at all, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(StorageError, match="damaged, or not a queue"):
        SqliteQueue(text)
    with pytest.raises(UsageError, match="folder"):
        SqliteQueue(tmp_path)


def test_a_file_of_a_newer_visage_is_refused(path: Path) -> None:
    SqliteQueue(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(UsageError, match="another Visage"):
        SqliteQueue(path)


def test_a_full_disk_loses_nothing_and_may_be_mended(path: Path) -> None:
    script = """
        queue = SqliteQueue(path)
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, most))
        sent = 0
        try:
            while True:
                queue.send(f"{sent} " + "x" * 20_000)
                sent += 1
        except VisageError as error:
            print(type(error).__name__)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        queue.send(f"{sent} after")
        got = [delivery.body.split()[0] for delivery in queue.receive(1000, 0)]
        print(sent > 5, got == [str(i) for i in range(sent + 1)])
    """
    assert child(path, script) == ["StorageError", "True", "True"]


def test_a_file_that_may_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue.sqlite"
        with closing(SqliteQueue(path)) as queue:
            queue.send("a")
        path.chmod(0o444)
        path.parent.chmod(0o555)
        script = """
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                SqliteQueue(path)
            except VisageError as error:
                print(type(error).__name__, "write" in str(error))
        """
        assert child(path, script) == ["StorageError", "True"]
        path.parent.chmod(0o755)
        path.chmod(0o600)
        with closing(SqliteQueue(path)) as queue:
            assert bodies(queue) == ["a"]


def test_somebody_who_keeps_it_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteQueue(path)) as queue:
        monkeypatch.setattr(queue._file, "_wait", 0.3)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="try again"):
                queue.send("a")
            assert queue.depth().waiting == 0  # looking does not wait
        queue.send("b")
        assert bodies(queue) == ["b"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete a file that is open")
def test_a_file_that_is_deleted_under_its_users_is_made_anew(path: Path) -> None:
    with closing(SqliteQueue(path)) as sender, closing(SqliteQueue(path)) as receiver, ThreadPoolExecutor() as pool:
        waiting = pool.submit(receiver.receive, 1, 10.0)
        time.sleep(0.1)
        for file in path.parent.iterdir():
            file.unlink()
        path.parent.rmdir()
        sender.send("a")
        assert [delivery.body for delivery in waiting.result()] == ["a"]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_queue_is_not_carried_across_a_fork(path: Path) -> None:
    script = """
        queue = SqliteQueue(path)
        child = os.fork()
        if not child:
            try:
                queue.send("a")
            except VisageError as error:
                print(type(error).__name__, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        queue.send("b")
        print([delivery.body for delivery in queue.receive(5, 0)])
    """
    assert child(path, script) == ["UsageError", "['b']"]


def test_the_log_does_not_grow_without_end(path: Path) -> None:
    with closing(SqliteQueue(path)) as sender, closing(SqliteQueue(path)) as receiver:
        for _ in range(600):
            sender.send("x" * 200_000)
            assert receiver.done([delivery.receipt for delivery in receiver.receive(1, 0)]) == []
        assert path.with_name("queue.sqlite-wal").stat().st_size < 90_000_000
        assert path.stat().st_size < 90_000_000


def seconds(call: Callable[[], object], times: int = 30) -> float:
    """The median of so many calls."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[times // 2]


def test_ten_thousand_waiting_messages_make_nothing_slow(tmp_path: Path) -> None:
    with closing(SqliteQueue(tmp_path / "a.sqlite")) as few, closing(SqliteQueue(tmp_path / "b.sqlite")) as many:
        for i in range(10_000):
            many.send(str(i), key=str(i))

        def work(queue: SqliteQueue) -> None:
            queue.send("one more")
            receipts = [delivery.receipt for delivery in queue.receive(1, 0)]
            assert queue.extend(receipts) == []
            assert queue.done(receipts) == []

        assert seconds(lambda: work(many)) < 4 * seconds(lambda: work(few)) + 0.001
        assert many.depth().waiting == 10_000


def traces(path: Path, text: str) -> list[str]:
    """The queue's files that hold this text. Reading them gives up this process's locks; there is no other to mind."""
    return [file.name for file in path.parent.iterdir() if text.encode() in file.read_bytes()]


def soon(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_of_a_message_that_is_done_nothing_is_left_once_it_is_quiet(path: Path) -> None:
    with closing(SqliteQueue(path)) as queue, closing(SqliteQueue(path)) as other:
        other.send("stays " + "x" * 100)
        for number in range(300):
            queue.send(f"{number} names Ada Lovelace " + "y" * 200)
        other.receive(1, 0)
        while taken := queue.receive(50, 0):
            queue.done([one.receipt for one in taken])
        assert traces(path, "Ada Lovelace")
        with ThreadPoolExecutor(1) as threads:
            waits = threads.submit(queue.receive, 1, 60.0)
            assert soon(lambda: not traces(path, "Ada Lovelace"))
            other.send("it goes on")
            assert [one.body for one in waits.result(60)] == ["it goes on"]
        assert traces(path, "stays")
        assert other.depth().in_flight == 2


def test_of_a_dead_letter_nothing_is_left_when_it_is_discarded(path: Path) -> None:
    with closing(SqliteQueue(path)) as queue, closing(SqliteQueue(path)) as other:
        queue.send("Ada Lovelace")
        [delivery] = queue.receive(1, 0)
        queue.bury(delivery.receipt, "of Ada Lovelace")
        other.send("stays")
        [letter] = queue.dead()
        assert queue.discard([letter.id]) == 1
        assert traces(path, "Ada Lovelace") == []
        assert bodies(other) == ["stays"]


def test_traces_go_while_others_send_and_receive(path: Path) -> None:
    ends = time.monotonic() + 3
    with closing(SqliteQueue(path)) as queue, ThreadPoolExecutor(2) as threads:

        def work(name: str) -> int:
            count = 0
            with closing(SqliteQueue(path, name=name)) as own:
                while time.monotonic() < ends:
                    own.send("a message")
                    [taken] = own.receive(1, 0)
                    count += 1 - len(own.done([taken.receipt]))
            return count

        others = [threads.submit(work, name) for name in ("one", "two")]
        erased = 0
        while time.monotonic() < ends:
            queue.send("Ada Lovelace")
            queue.done([queue.receive(1, 0)[0].receipt])
            queue.discard([])
            assert traces(path, "Ada Lovelace") == []
            erased += 1
        assert erased
        assert all(other.result() for other in others)


def test_whoever_looks_at_an_earlier_state_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteQueue(path)) as queue, closing(sqlite3.connect(path)) as reader:
        queue.send("Ada Lovelace")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        queue.done([queue.receive(1, 0)[0].receipt])
        monkeypatch.setattr(queue._file, "_wait", 0.2)
        with pytest.raises(StorageError, match="reading an earlier state"):
            queue.discard([])
        reader.execute("ROLLBACK")
        queue.discard([])
        assert traces(path, "Ada Lovelace") == []


def test_what_a_killed_process_left_goes_with_the_next(path: Path) -> None:
    child(path, """
        queue = SqliteQueue(path)
        queue.send("Ada Lovelace")
        queue.done([queue.receive(1, 0)[0].receipt])
        os._exit(0)
    """)  # fmt: skip
    assert traces(path, "Ada Lovelace")
    with closing(SqliteQueue(path)) as queue, ThreadPoolExecutor(1) as threads:
        waits = threads.submit(queue.receive, 1, 60.0)
        assert soon(lambda: not traces(path, "Ada Lovelace"))
        queue.send("end")
        waits.result(60)
