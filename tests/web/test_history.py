"""The history and the audit log over HTTP: whatever is changed can be undone, and is in the log."""

import io
import itertools
import json
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.postgres.server import server  # noqa: F401 - a fixture
from tests.web.fakes import Tier, answer, open_tier
from visage.core.answers import Answer, Enrollment, Outcome
from visage.core.errors import StorageError
from visage.core.journal.audit import Audit
from visage.core.journal.audit_log import AuditLog
from visage.core.journal.change import ChangeKind
from visage.core.journal.history import History
from visage.core.journal.repeats import Repeats
from visage.core.journal.steps import Hid
from visage.core.ports.gallery import Gallery
from visage.core.service.keyring import Account, Role
from visage.core.tickets import Ticket
from visage.core.values import EnrolledFace, Person, Quality
from visage.objects.folder import FolderObjects
from visage.postgres.gallery import PostgresGallery
from visage.sqlite.gallery import SqliteGallery
from visage.web.history_types import AuditPage, ChangeOut, EntryOut, HistoryPage
from visage.web.journal import Journal
from visage.web.people_types import PeoplePage, WholePerson

HERE = "default"


def a_face() -> EnrolledFace:
    vector = np.random.default_rng(uuid.uuid4().int).normal(size=8).astype(np.float32)
    quality = Quality(90, 0.8, 5, 5, 0, 0.7)
    return EnrolledFace(uuid.uuid4().hex, "", vector / np.linalg.norm(vector), "resnet", b"\xff\xd8jpeg",
                        np.zeros((5, 2), np.float32), "secret.jpg", uuid.uuid4().hex, quality, 1.7e9)  # fmt: skip


@pytest.fixture(params=["sqlite"])
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    if request.param == "sqlite":
        opened: Gallery = SqliteGallery(tmp_path / "gallery.sqlite", create=True)
    else:
        opened = PostgresGallery(request.getfixturevalue("server").database(), create=True)
    with closing(opened) as made:
        for name, faces in {"Ada": 2, "Bob": 1}.items():
            for _ in range(faces):
                made.add(HERE, name, a_face())
        yield made


@pytest.fixture
def tier(gallery: Gallery) -> Iterator[Tier]:
    with closing(open_tier(gallery=gallery)) as opened:
        yield opened


def people(client: FlaskClient, **query: str) -> dict[str, str]:
    page = PeoplePage.model_validate(client.get("/v1/people", query_string=query).json)
    assert page.total == len(page.people)
    return {person.name: person.id for person in page.people}


def changes(client: FlaskClient, **query: str) -> list[ChangeOut]:
    response = client.get("/v1/history", query_string=query)
    assert response.status_code == 200, response.json
    return HistoryPage.model_validate(response.json).changes


def undo(client: FlaskClient, change: ChangeOut, **headers: str) -> TestResponse:
    return client.post(f"/v1/history/{change.id}/undo", headers=headers)


def done(response: TestResponse) -> WholePerson:
    assert response.status_code == 200, response.json
    return WholePerson.model_validate(response.json)


def log(tier: Tier, client: FlaskClient, **query: str) -> list[EntryOut]:
    """What is in the log, with what is still on its way."""
    tier.audit.flush()
    response = client.get("/v1/audit", query_string=query)
    assert response.status_code == 200, response.json
    return AuditPage.model_validate(response.json).entries


def test_a_renaming_goes_into_the_history_and_back(client: FlaskClient) -> None:
    ada = people(client)["Ada"]
    done(client.patch(f"/v1/people/{ada}", json={"name": "Countess"}))
    [change] = changes(client)
    assert (change.kind, change.name, change.undone) == ("rename", "Countess", None)
    assert [(one.id, one.name) for one in change.people] == [(ada, "Ada")]
    response = undo(client, change)
    assert response.status_code == 200
    assert ChangeOut.model_validate(response.json).undone
    assert people(client)["Ada"] == ada
    assert undo(client, change).status_code == 409
    assert [one.id for one in changes(client, person=ada)] == [change.id]
    assert changes(client, person="0" * 32) == []


def test_the_same_name_is_no_change(client: FlaskClient) -> None:
    ada = people(client)["Ada"]
    done(client.patch(f"/v1/people/{ada}", json={"name": "Ada"}))
    assert client.patch(f"/v1/people/{ada}", json={"name": "Bob"}).status_code == 422
    assert client.patch(f"/v1/people/{ada}", json={"name": "a/b"}).status_code == 422
    assert changes(client) == []


@pytest.mark.parametrize("gallery", ["sqlite", "postgres"], indirect=True)
def test_a_merging_and_a_moving_go_back(client: FlaskClient) -> None:
    before = people(client)
    whole = done(client.get(f"/v1/people/{before['Ada']}"))
    done(client.post(f"/v1/people/{before['Ada']}/merge", json={"into": before["Bob"]}))
    assert list(people(client)) == ["Bob"]
    [merging] = changes(client)
    assert (merging.kind, merging.faces, [one.name for one in merging.people]) == ("merge", 2, ["Ada", "Bob"])
    assert undo(client, merging).status_code == 200
    assert people(client) == before
    assert done(client.get(f"/v1/people/{before['Ada']}")).face_list == whole.face_list

    face = whole.face_list[0].id
    carl = done(client.post(f"/v1/people/{before['Ada']}/move", json={"faces": [face], "name": "Carl"}))
    moving = changes(client)[0]
    assert [one.id for one in moving.people] == [before["Ada"], carl.id]
    assert undo(client, moving).status_code == 200
    assert people(client) == before
    assert done(client.get(f"/v1/people/{before['Ada']}")).face_list == whole.face_list


@pytest.mark.parametrize("gallery", ["sqlite", "postgres"], indirect=True)
def test_a_merging_takes_the_negative_examples_along(client: FlaskClient, gallery: Gallery) -> None:
    before, no = people(client), a_face()
    gallery.deny(HERE, before["Ada"], no)
    done(client.post(f"/v1/people/{before['Ada']}/merge", json={"into": before["Bob"]}))
    assert [(face.id, face.person_id) for face in gallery.denials(HERE)] == [(no.id, before["Bob"])]
    assert undo(client, changes(client)[0]).status_code == 200
    assert [(face.id, face.person_id) for face in gallery.denials(HERE)] == [(no.id, before["Ada"])]


def test_who_is_hidden_is_not_listed_unless_asked_for(client: FlaskClient) -> None:
    before = people(client)
    assert done(client.post(f"/v1/people/{before['Ada']}/hide")).hidden
    assert done(client.post(f"/v1/people/{before['Ada']}/hide")).hidden
    assert list(people(client)) == ["Bob"]
    assert list(people(client, hidden="only")) == ["Ada"]
    assert list(people(client, hidden="include")) == ["Ada", "Bob"]
    assert client.get("/v1/people?hidden=maybe").status_code == 422
    assert not done(client.post(f"/v1/people/{before['Ada']}/unhide")).hidden
    [unhiding, hiding] = changes(client)
    assert [hiding.kind, unhiding.kind] == ["hide", "unhide"]
    assert undo(client, unhiding).status_code == 200
    assert list(people(client)) == ["Bob"]
    assert undo(client, hiding).status_code == 200
    assert people(client) == before
    assert client.post(f"/v1/people/{'0' * 32}/hide").status_code == 404


def test_what_was_changed_since_is_a_conflict(client: FlaskClient) -> None:
    ada = people(client)["Ada"]
    done(client.patch(f"/v1/people/{ada}", json={"name": "Countess"}))
    done(client.patch(f"/v1/people/{ada}", json={"name": "Lady"}))
    [_, first] = changes(client)
    response = undo(client, first)
    assert response.status_code == 409
    assert response.json
    assert response.json["detail"] == "it cannot be undone: the person was renamed again since"
    for nobody in ("0" * 13 + "-" + "0" * 32, "nothing", "..%2f..%2fetc"):
        assert client.post(f"/v1/history/{nobody}/undo").status_code == 404


def enrolling(gallery: Gallery, ticket: Ticket, data: list[bytes]) -> Answer:
    """A worker that enrolls whatever it is sent; the same picture twice is a duplicate."""
    face = replace(a_face(), id=ticket.id)
    if data == [b"same"]:
        known = gallery.person(HERE, ticket.job.name or "")
        return replace(answer(ticket, []), enrollment=Enrollment(Outcome.DUPLICATE, "", known))
    person: Person = gallery.add(HERE, ticket.job.name or "", face)
    return replace(answer(ticket, []), enrollment=Enrollment(Outcome.ENROLLED, "", person, face.id))


def enroll(client: FlaskClient, name: str, *photos: bytes, **headers: str) -> TestResponse:
    files = [(io.BytesIO(photo), f"{number}.jpg") for number, photo in enumerate(photos)]
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post("/v1/people", data={"name": name, "photo": files}, headers=given)


def test_enrolling_is_undone_by_the_faces_it_added(tier: Tier, client: FlaskClient, gallery: Gallery) -> None:
    tier.worker.work = lambda ticket, data: enrolling(gallery, ticket, data)
    for _ in range(2):
        assert enroll(client, "Ada", b"1", b"2", Idempotency_Key="one").status_code == 200
    assert enroll(client, "Ada", b"same").status_code == 200  # which adds nothing
    assert enroll(client, "New", b"3", Prefer="respond-async").status_code == 202
    while any(change.pending for change in changes(client)):
        pass
    [new, photos] = changes(client)
    assert [(one.kind, one.faces, one.people[0].name) for one in (new, photos)] == [
        ("enroll", 1, "New"), ("enroll", 2, "Ada"),
    ]  # fmt: skip
    assert new.people[0].id == people(client)["New"]
    assert undo(client, new).status_code == 200
    assert undo(client, photos).status_code == 200
    assert list(people(client)) == ["Ada", "Bob"]
    assert gallery.person(HERE, "Ada").faces == 2


def test_erasing_takes_the_history_and_cannot_be_undone(tier: Tier, client: FlaskClient) -> None:
    before = people(client)
    done(client.post(f"/v1/people/{before['Ada']}/hide"))
    undo(client, changes(client)[0], **{"Idempotency-Key": "u"})  # an answer without faces, of whom Ada was alone
    done(client.patch(f"/v1/people/{before['Ada']}", json={"name": "Countess"}, headers={"Idempotency-Key": "k"}))
    done(client.post(f"/v1/people/{before['Ada']}/merge", json={"into": before["Bob"]}))
    [merging, _, _] = changes(client)
    assert client.delete(f"/v1/people/{before['Bob']}").status_code == 200
    assert changes(client) == []
    assert undo(client, merging).status_code == 404
    tier.audit.flush()
    kept = b"".join(data for data, _ in tier.journal.kept.values())
    assert not any(name in kept for name in (b"Ada", b"Bob", b"Countess"))
    erasing = log(tier, client, action="erase")
    assert [(entry.people[0].id, entry.people[0].name, entry.faces) for entry in erasing] == [(before["Bob"], None, 3)]


def test_answers_are_forgotten_before_it_is_whose_they_are(
    tier: Tier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure that breaks off between the two is repeated, and then has to find them."""
    before = people(client)
    done(client.post(f"/v1/people/{before['Ada']}/hide"))
    undo(client, changes(client)[0], **{"Idempotency-Key": "u"})  # whose answer names Ada alone, and no face
    done(client.post(f"/v1/people/{before['Ada']}/merge", json={"into": before["Bob"]}))
    delete = tier.journal.delete

    def broken(keys: Iterable[str]) -> None:
        if any(key.startswith("answered/") for key in keys):
            raise StorageError("no space left")
        delete(keys)

    monkeypatch.setattr(tier.journal, "delete", broken)
    assert client.delete(f"/v1/people/{before['Bob']}").status_code == 503
    monkeypatch.undo()
    assert client.delete(f"/v1/people/{before['Bob']}").status_code == 200
    kept = b"".join(data for data, _ in tier.journal.kept.values())
    assert b"Ada" not in kept


def test_whoever_is_erased_while_faces_are_moved_to_them_is_not_in_the_history(
    tier: Tier, client: FlaskClient, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, move = people(client), gallery.move
    [face, _] = gallery.faces(HERE, before["Ada"])

    def late(*words: Any, **more: Any) -> Person:
        gallery.add(HERE, "Carl", a_face())  # by another process, so that there are two changes
        owner = move(*words, **more)
        gallery.remove(HERE, owner.id)
        return owner

    monkeypatch.setattr(gallery, "move", late)
    client.post(f"/v1/people/{before['Ada']}/move", json={"faces": [face.id], "name": "Carl"})
    assert "Carl" not in people(client)
    assert not any(b"Carl" in data for data, _ in tier.journal.kept.values())


def test_when_there_are_many_changes_they_are_folded_before_the_next_sweep(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visage.core.journal.history._MANY", 5)
    clock, objects = itertools.count(1_700_000_000, 120), FolderObjects(tmp_path / "journal")

    def now() -> float:
        return float(next(clock))

    def new_id() -> str:
        return uuid.uuid4().hex

    def folded() -> bool:
        return any("hours" in stored.key for stored in objects.list())

    history = History(objects, lambda: gallery, ended=lambda _: None, now=now, new_id=new_id)
    with closing(Audit(objects, now=now, new_id=new_id)) as audit, Flask("journal").app_context():
        journal = Journal(history, audit, AuditLog(objects, now), Repeats(objects, now), now)
        g.account, g.request_id = Account("me", "me", Role.ADMIN), "request"
        made = [journal.changed(ChangeKind.HIDE, HERE, [("1", "Ada")], [Hid("1", True)]) for _ in range(4)]
        assert not folded()
        made.append(journal.changed(ChangeKind.HIDE, HERE, [("1", "Ada")], [Hid("1", True)]))
        end = time.monotonic() + 60
        while not folded() and time.monotonic() < end:
            time.sleep(0.01)
        assert folded()
        assert history.page(None, None, 50)[0] == made[::-1]


def test_on_a_full_disk_what_is_old_goes_all_the_same(
    tier: Tier, client: FlaskClient, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = people(client)["Ada"]
    done(client.post(f"/v1/people/{ada}/hide", headers={"Idempotency-Key": "k"}))
    tier.audit.flush()
    later, objects = time.time() + 2 * 86400, tier.journal

    def full(*_: Any) -> bool:
        raise StorageError("no space left")

    for name in ("put", "create", "replace"):
        monkeypatch.setattr(objects, name, full)
    history = History(objects, lambda: gallery, ended=lambda _: None, now=lambda: later, new_id=lambda: "0" * 32)
    log, repeats = AuditLog(objects, lambda: later), Repeats(objects, lambda: later)
    journal = Journal(history, tier.audit, log, repeats, lambda: later)
    with pytest.raises(StorageError):  # the change cannot be folded
        journal.sweep(0.0, later)
    assert [key.partition("/")[0] for key in objects.kept] == ["history"]


def test_the_same_key_gets_the_same_answer(client: FlaskClient) -> None:
    before = people(client)
    headers = {"Idempotency-Key": "mine"}
    path = f"/v1/people/{before['Ada']}/merge"
    first = client.post(path, json={"into": before["Bob"]}, headers=headers)
    done(first)
    again = client.post(path, json={"into": before["Bob"]}, headers=headers)
    assert (again.status_code, again.data) == (200, first.data)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(changes(client)) == 1
    assert client.post(path, json={"into": before["Ada"]}, headers=headers).status_code == 422
    assert client.post(f"{path}?collection=other", json={"into": before["Bob"]}, headers=headers).status_code == 422
    undone = [undo(client, changes(client)[0], **{"Idempotency-Key": "other"}) for _ in range(2)]
    assert [response.status_code for response in undone] == [200, 200]
    assert undone[0].data == undone[1].data
    assert client.post(path, json={"into": before["Bob"]}, headers={"Idempotency-Key": "bad\x7f"}).status_code == 422


def test_a_key_whose_request_failed_is_tried_again(client: FlaskClient) -> None:
    before, headers = people(client), {"Idempotency-Key": "mine"}
    path = f"/v1/people/{before['Ada']}"
    assert client.patch(path, json={"name": "Bob"}, headers=headers).status_code == 422
    done(client.patch(f"/v1/people/{before['Bob']}", json={"name": "Robert"}))
    assert done(client.patch(path, json={"name": "Bob"}, headers=headers)).name == "Bob"


def test_a_key_that_is_still_at_work_is_told_so(tier: Tier, client: FlaskClient) -> None:
    before, headers = people(client), {"Idempotency-Key": "mine"}
    path = f"/v1/people/{before['Ada']}/hide"
    done(client.post(path, headers=headers))
    [key] = [key for key in tier.journal.kept if key.startswith("answered/")]
    said = json.loads(tier.journal.get(key))
    tier.journal.put(key, json.dumps({**said, "kept": None}).encode())
    assert client.post(path, headers=headers).status_code == 409
    tier.journal.put(key, json.dumps({**said, "kept": None, "at": said["at"] - 3600}).encode())  # whoever began is dead
    assert done(client.post(path, headers=headers)).hidden


def test_two_accounts_may_have_the_same_key(tier: Tier, client: FlaskClient) -> None:
    keys = [tier.keyring.create(name, Role.ENROLL)[1] for name in ("anna", "bert")]
    given = [{"X-API-Key": key} for key in keys]
    ids = client.get("/v1/people", headers=given[0]).json["people"]  # type: ignore[index]
    for person, headers in zip(ids, given, strict=True):
        done(client.post(f"/v1/people/{person['id']}/hide", headers={**headers, "Idempotency-Key": "mine"}))


def test_each_role_may_do_its_part(tier: Tier, client: FlaskClient) -> None:
    nobody = "0" * 32
    asked = [
        (Role.READ, "GET", "/v1/history", 200),
        (Role.ENROLL, "POST", f"/v1/history/{nobody}/undo", 404),
        (Role.ENROLL, "POST", f"/v1/people/{nobody}/hide", 404),
        (Role.ENROLL, "POST", f"/v1/people/{nobody}/unhide", 404),
        (Role.ADMIN, "GET", "/v1/audit", 200),
    ]
    keys = {role: tier.keyring.create(role.value, role)[1] for role in Role}
    for least, method, path, status in asked:
        assert client.open(path, method=method).status_code == 401
        for role, key in keys.items():
            response = client.open(path, method=method, headers={"X-API-Key": key})
            assert response.status_code == (status if role.includes(least) else 403), (role, path)


def test_the_log_says_who_did_what_and_names_nobody(tier: Tier, client: FlaskClient) -> None:
    account, key = tier.keyring.create("door", Role.ADMIN)
    headers = {"X-API-Key": key, "X-Request-Id": "request-1"}
    before = {one["name"]: one["id"] for one in client.get("/v1/people", headers=headers).json["people"]}  # type: ignore[index]
    ada = before["Ada"]
    photo = {"image": (io.BytesIO(b"photo"), "holiday.jpg")}
    job = client.post("/v1/recognize", data=photo, headers=headers).json["job"]["id"]  # type: ignore[index]
    client.get(f"/v1/people/{ada}", headers=headers)
    client.patch(f"/v1/people/{ada}", json={"name": "Countess"}, headers=headers)
    client.get(f"/v1/jobs/{job}", headers=headers)
    client.get(f"/v1/jobs/{job}", headers=headers)  # which is not told again
    tier.audit.flush()
    entries = AuditPage.model_validate(client.get("/v1/audit", headers=headers).json).entries
    assert [(entry.action, [one.id for one in entry.people], entry.jobs) for entry in reversed(entries)] == [
        ("look", list(before.values()), []),
        ("search", [f"{0:032x}"], [job]),
        ("look", [ada], []),
        ("rename", [ada], []),
        ("look", [], [job]),
    ]  # fmt: skip
    assert {(entry.account, entry.request) for entry in entries} == {(account.id, "request-1")}
    assert entries[1].people[0].name == "Countess"
    kept = b"".join(data for name, (data, _) in tier.journal.kept.items() if name.startswith("audit/"))
    assert not any(name in kept for name in (b"Ada", b"Bob", b"Countess", b"holiday", b"secret", b"door"))


def test_the_log_is_searched_and_paged(tier: Tier, client: FlaskClient) -> None:
    before = people(client)
    for _ in range(3):
        for person in before.values():
            client.get(f"/v1/people/{person}")
    assert len(log(tier, client, action="look", person=before["Bob"])) == 4  # the list, and each time
    assert log(tier, client, account="nobody") == []
    first = client.get("/v1/audit?limit=4").json
    assert first
    rest = client.get("/v1/audit", query_string={"limit": 100, "cursor": first["next"]}).json
    assert rest
    assert [*first["entries"], *rest["entries"]] == client.get("/v1/audit").json["entries"]  # type: ignore[index]
    assert len(rest["entries"]) == 3
    assert client.get("/v1/audit?cursor=../..").status_code == 422
    assert client.get("/v1/audit?action=fly").status_code == 422


def test_nothing_is_changed_or_shown_that_cannot_be_told(tier: Tier, client: FlaskClient) -> None:
    before = people(client)
    tier.journal.down = True
    path = f"/v1/people/{before['Ada']}"
    answers = [
        client.patch(path, json={"name": "Countess"}),
        client.post(f"{path}/merge", json={"into": before["Bob"]}),
        client.post(f"{path}/hide"),
        client.delete(path),
        client.get(path),
    ]
    assert [response.status_code for response in answers] == [503] * len(answers)
    assert client.post("/v1/recognize", data={"image": (io.BytesIO(b"photo"), "a.jpg")}).status_code == 200
    tier.journal.down = False
    assert people(client) == before
    assert changes(client) == []
    tier.audit.close()  # the history could be written, and the log could not
    assert client.post(f"{path}/hide").status_code == 503
    assert changes(client) == []
