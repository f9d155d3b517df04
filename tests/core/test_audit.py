"""The audit log, in a real folder."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from visage.core.errors import StorageError
from visage.core.journal.audit import Action, Audit, Entry, entry_from_json, entry_to_json
from visage.core.journal.audit_log import AuditLog
from visage.core.journal.change import ChangeKind
from visage.objects.folder import FolderObjects

DAY = 86400.0
NOON = 1_700_049_600.0  # 2023-11-15 12:00 UTC


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


class Counted(FolderObjects):
    """Counts what is written, and may be down or slow."""

    writes, down, slow = 0, False, 0.0
    broken: BaseException | None = None

    def put(self, key: str, data: bytes | IO[bytes]) -> None:
        time.sleep(self.slow)
        if self.broken:
            raise self.broken
        if self.down:
            raise StorageError("no space left")
        self.writes += 1
        super().put(key, data)


@pytest.fixture
def objects(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audit(objects: Counted, clock: Clock) -> Iterator[Audit]:
    with closing(Audit(objects, now=clock, new_id=lambda: "0123456789abcdef")) as made:
        yield made


def entry(number: int = 0, action: Action = Action.LOOK, **more: Any) -> Entry:
    return Entry(NOON + number, "key", action, "default", (f"{number:032x}",), request=f"r{number}", **more)


@pytest.fixture
def log(objects: Counted, clock: Clock) -> AuditLog:
    return AuditLog(objects, clock)


def everything(log: AuditLog) -> list[Entry]:
    return log.page(lambda _: True, 10_000)[0]


def test_who_waits_finds_it_stored(audit: Audit, objects: Counted, log: AuditLog) -> None:
    audit.note(entry(), wait=True)
    [stored] = objects.list()
    assert stored.key.startswith("audit/2023-11-15/")
    assert stored.key.endswith(".jsonl")
    assert everything(log) == [entry()]


def test_what_nobody_waits_for_is_written_in_one_group(audit: Audit, objects: Counted, log: AuditLog) -> None:
    begun = time.monotonic()
    for number in range(200):
        audit.note(entry(number, Action.SEARCH), wait=False)
    assert time.monotonic() - begun < 0.5
    assert objects.writes == 0
    audit.close()
    assert objects.writes <= 2
    assert everything(log) == [entry(number, Action.SEARCH) for number in range(199, -1, -1)]


def test_it_is_written_within_a_second_or_so(audit: Audit, objects: Counted) -> None:
    audit.note(entry(), wait=False)
    end = time.monotonic() + 5
    while not objects.writes and time.monotonic() < end:
        time.sleep(0.02)
    assert objects.writes == 1
    assert time.monotonic() < end - 3


def test_those_who_wait_share_a_writing(audit: Audit, objects: Counted, log: AuditLog) -> None:
    objects.slow = 0.05
    threads = [
        threading.Thread(target=audit.note, args=(entry(number),), kwargs={"wait": True}) for number in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert objects.writes < 20
    assert len(everything(log)) == 40


def test_a_store_that_is_down_is_told_to_who_waits(audit: Audit, objects: Counted, log: AuditLog) -> None:
    objects.down = True
    audit.note(entry(1, Action.SEARCH), wait=False)
    with pytest.raises(StorageError, match="no space"):
        audit.note(entry(2), wait=True)
    objects.down = False
    audit.close()
    assert everything(log) == [entry(1, Action.SEARCH)]  # the search was, the look was refused


@pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError(), SystemExit(1)], ids=repr)
def test_whatever_goes_wrong_who_waits_is_told_and_the_next_is_written(
    objects: Counted, clock: Clock, log: AuditLog, error: BaseException
) -> None:
    told: list[BaseException] = []

    def report(found: BaseException) -> None:
        told.append(found)
        raise ValueError("it cannot be told either")

    objects.broken = error
    with closing(Audit(objects, now=clock, new_id=lambda: "0123456789abcdef", report=report)) as audit:
        audit.note(entry(1, Action.SEARCH), wait=False)
        failed: list[StorageError] = []

        def look() -> None:
            try:
                audit.note(entry(2), wait=True)
            except StorageError as found:
                failed.append(found)

        waits = threading.Thread(target=look, daemon=True)
        waits.start()
        waits.join(30)
        assert [type(error).__name__ in str(one) for one in failed] == [True]
        assert told[0] is error
        objects.broken = None
        audit.note(entry(3), wait=True)
    assert everything(log) == [entry(3), entry(1, Action.SEARCH)]


def test_nothing_is_noted_once_it_is_closed(audit: Audit) -> None:
    audit.close()
    audit.close()
    with pytest.raises(StorageError):
        audit.note(entry(), wait=False)


def test_pages_go_back_through_groups_and_days(audit: Audit, clock: Clock, log: AuditLog) -> None:
    noted = []
    for day in range(4):
        for number in range(5):
            clock.now = NOON + day * DAY + number
            noted.append(Entry(clock.now, "key", Action.LOOK, people=(str(day),)))
            audit.note(noted[-1], wait=True)
    found: list[Entry] = []
    after: str | None = ""
    while after is not None:
        page, after = log.page(lambda _: True, 3, after)
        assert len(page) <= 3
        found += page
    assert found == noted[::-1]
    wanted, _ = log.page(lambda one: one.people == ("1",), 100)
    assert wanted == noted[9:4:-1]


def test_a_page_within_a_group_goes_on_where_it_ended(audit: Audit, log: AuditLog) -> None:
    for number in range(10):
        audit.note(entry(number), wait=False)
    audit.close()
    first, after = log.page(lambda _: True, 4)
    rest, last = log.page(lambda _: True, 100, after or "")
    assert [*first, *rest] == [entry(number) for number in range(9, -1, -1)]
    assert last is None


def test_two_processes_share_a_log(objects: Counted, clock: Clock, log: AuditLog) -> None:
    for writer in ("a" * 32, "b" * 32):
        with closing(Audit(objects, now=clock, new_id=lambda writer=writer: writer)) as audit:  # type: ignore[misc]
            audit.note(entry(), wait=True)
    assert len(everything(log)) == 2


def test_days_that_were_kept_long_enough_go(audit: Audit, clock: Clock, objects: Counted, log: AuditLog) -> None:
    for day in range(5):
        clock.now = NOON + day * DAY
        audit.note(Entry(clock.now, "", Action.ERASE), wait=True)
    assert log.sweep(NOON + 3 * DAY) == 3
    assert [stored.key[:16] for stored in objects.list()] == ["audit/2023-11-18", "audit/2023-11-19"]
    assert log.sweep(NOON + 3 * DAY) == 0


def noted(audit: Audit, clock: Clock, count: int, every: float) -> list[Entry]:
    """So many entries, each in a group of its own."""
    made = []
    for number in range(count):
        clock.now += every
        made.append(Entry(clock.now, f"key{number}", Action.SEARCH))
        audit.note(made[-1], wait=True)
    return made


def test_groups_of_a_while_ago_are_put_together(
    audit: Audit, clock: Clock, objects: Counted, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = noted(audit, clock, 59, 3600.0)  # over three days
    clock.now += 3600
    last = noted(audit, clock, 3, 1.0)
    assert log.gather() == 56
    assert len([*objects.list()]) == 3 + 3  # one a day, and those of just now
    assert everything(log) == [*made, *last][::-1]
    assert log.gather() == 0
    monkeypatch.setattr("visage.core.journal.audit_log._FULL", 1000)
    clock.now += 3600
    more = noted(audit, clock, 40, 1.0)
    clock.now += 3600
    log.gather()
    sizes = [stored.size for stored in objects.list()]
    assert max(sizes) < 3 * 1000 < sum(sizes)
    assert everything(log) == [*made, *last, *more][::-1]


def test_who_is_killed_while_putting_groups_together_loses_nothing(
    audit: Audit, clock: Clock, objects: Counted, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = noted(audit, clock, 10, 1.0)
    clock.now += 3600
    with monkeypatch.context() as patched:
        patched.setattr(objects, "delete", lambda _keys: (_ for _ in ()).throw(StorageError("killed")))
        with pytest.raises(StorageError):
            log.gather()
    assert len(everything(log)) == 19
    assert log.gather() == 9
    assert everything(log) == made[::-1]


def test_of_two_who_put_groups_together_one_succeeds(
    audit: Audit, clock: Clock, objects: Counted, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = noted(audit, clock, 10, 1.0)
    clock.now += 3600
    replace = objects.replace

    def late(key: str, data: bytes, version: str) -> bool:
        monkeypatch.setattr(objects, "replace", replace)
        assert AuditLog(objects, clock).gather() == 9
        return replace(key, data, version)

    monkeypatch.setattr(objects, "replace", late)
    assert log.gather() == 0
    assert everything(log) == made[::-1]


def test_what_is_damaged_hides_nothing_else(audit: Audit, objects: Counted, log: AuditLog) -> None:
    audit.note(entry(1), wait=True)
    audit.note(entry(2), wait=True)
    [first, second] = [stored.key for stored in objects.list()]
    objects.put(first, b"{}\n")
    objects.put("audit/notes.txt", b"")
    assert everything(log) == [entry(1)]
    assert second.endswith(".jsonl")


def test_an_entry_is_read_as_it_was_written() -> None:
    whole = Entry(NOON + 0.25, "key", Action.NOT_A_FACE, "default", ("1", "2"), 3, ("4",), "r")
    assert entry_from_json(entry_to_json(whole)) == whole


def test_every_kind_of_change_can_be_noted() -> None:
    assert {kind.value for kind in ChangeKind} < {action.value for action in Action}
