"""What a worker keeps of strangers, and when: before the result, once, and only where that is wished."""

import time
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.core.benches import bench, names, result
from tests.core.service_fakes import Bench, Service, WatchedObjects, asked, soon
from visage.core.errors import GalleryError
from visage.core.service.keeper import Keeper, Kept
from visage.core.service.records import Records
from visage.core.unknown.kept import Haul, State, decided, faces_key, haul_from_bytes, haul_to_bytes
from visage.core.unknown.strangers import Strangers
from visage.core.values import JobKind
from visage.objects.folder import FolderObjects
from visage.sqlite.gallery import SqliteGallery

STRANGER, FILM = "stranger", "strange film"


@pytest.fixture
def unknown(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "unknown")


def gathering(service: Service, **kit: Any) -> Bench:
    made = bench(service, **kit)
    made.unknown = WatchedObjects(service.folder / "unknown", made.line)
    return made


def kept(unknown: FolderObjects, job: str) -> Haul:
    return haul_from_bytes(unknown.get(faces_key(job)), faces_key(job))


def test_strangers_are_stored_before_the_result(service: Service, unknown: FolderObjects) -> None:
    with gathering(service).working() as at:
        photo, film = (service.reception.submit(asked(content, "party.jpg")) for content in (STRANGER, FILM))
        assert [names(service, ticket) for ticket in (photo, film)] == [["unknown"], ["unknown"]]
        for ticket in (photo, film):
            wrote = [what for verb, what in at.line.passed if verb.endswith(".create") and ticket.id in what]
            assert wrote == [faces_key(ticket.id), f"{ticket.id}/result.json"]
    (face,) = kept(unknown, photo.id).faces
    assert (face.stands.places.tolist(), kept(unknown, photo.id).source) == ([0], "party.jpg")
    (face,) = kept(unknown, film.id).faces
    assert face.stands.places.tolist() == list(range(20))
    assert kept(unknown, film.id).collection == "default"


@pytest.mark.parametrize("what", [asked("ada"), asked("nobody"), asked(STRANGER, kind=JobKind.DETECT)])
def test_of_others_nothing_is_kept(service: Service, unknown: FolderObjects, what: Any) -> None:
    with gathering(service).working():
        assert result(service, service.reception.submit(what))["status"] == "done"
    assert not list(unknown.list())


def test_where_it_is_not_wished_nothing_is_kept(service: Service, unknown: FolderObjects) -> None:
    with bench(service).working():
        assert names(service, service.reception.submit(asked(STRANGER))) == ["unknown"]
    assert not list(unknown.list())


def test_what_is_done_twice_is_stored_once(service: Service, unknown: FolderObjects, soon_again: None) -> None:
    """The store of results is away when the strangers are stored, and somebody puts them aside meanwhile."""
    at = gathering(service)
    at.line.cut = lambda verb: verb == "outputs.create"
    with at.working():
        ticket = service.reception.submit(asked(STRANGER))
        assert soon(lambda: at.log.said("a result cannot be stored"))
        haul = kept(unknown, ticket.id)
        aside = haul_to_bytes(replace(haul, faces=(decided(haul.faces[0], State.IGNORED),)))
        unknown.put(faces_key(ticket.id), aside)
        at.line.cut = lambda verb: False
        assert names(service, ticket) == ["unknown"]
    assert [stored.key for stored in unknown.list()] == [faces_key(ticket.id)]
    assert unknown.get(faces_key(ticket.id)) == aside


def test_without_the_strangers_there_is_no_result(service: Service, unknown: FolderObjects, soon_again: None) -> None:
    at = gathering(service)
    at.line.cut = lambda verb: verb == "unknown.create"
    with at.working():
        ticket = service.reception.submit(asked(STRANGER))
        assert soon(lambda: at.log.said("a result cannot be stored"))
        assert service.reception.result(ticket.id) is None
        at.line.cut = lambda verb: False
        assert names(service, ticket) == ["unknown"]
    assert len(kept(unknown, ticket.id).faces) == 1


def test_while_the_gallery_is_away_the_result_waits(
    service: Service, monkeypatch: pytest.MonkeyPatch, soon_again: None
) -> None:
    calls = count()
    version = SqliteGallery.version

    def away(gallery: SqliteGallery) -> str:
        if next(calls) in {1, 3}:  # each time the photo was seen by then, and its answer has to be stored
            raise GalleryError("the database is away")
        return version(gallery)

    at = bench(service)
    with at.working():
        monkeypatch.setattr(SqliteGallery, "version", away)
        assert names(service, service.reception.submit(asked("ada"))) == ["Ada"]
    assert at.log.said("a result cannot be stored")[0]["reason"] == "the database is away"


def test_strangers_who_were_erased_do_not_come_back_with_a_second_answer(
    service: Service, unknown: FolderObjects, tmp_path: Path
) -> None:
    """A worker that was slow brings what another brought before it, and somebody erased since."""
    with gathering(service).working():
        ticket = service.reception.submit(asked(STRANGER))
        assert names(service, ticket) == ["unknown"]
    strangers = Strangers(kept(unknown, ticket.id), {0: b"a crop"})
    unknown.delete([faces_key(ticket.id)])
    records = Records(service.outputs, "slow", time.time, tries=3)
    with closing(SqliteGallery(tmp_path / "slow.sqlite", create=True)) as gallery:
        keeper = Keeper(records, service.inputs, service.outputs, unknown, lambda: gallery)
        assert keeper.keep(ticket, service.reception.result(ticket.id) or {}, strangers) is Kept.ANOTHERS
    assert not list(unknown.list())
