"""/v1/unknown: strangers in real photos, put together, named, put aside and erased; a real worker, a real gallery."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.doors.bad_files import encoded, film, photo
from tests.processes.workers import soon
from tests.web.whole import Whole, open_whole
from visage.core.service.keyring import Role
from visage.core.unknown.kept import faces_key
from visage.web.answers import JobState
from visage.web.unknown_types import FaceCount, NamedOut, UnknownOut, UnknownPage, WholeUnknown

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
OBAMAS = ("obama.jpg", "obama2.jpg", "obama3.jpg")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Whole]:
    with open_whole(tmp_path_factory.mktemp("whole"), unknown_days=30) as opened:
        yield opened


@pytest.fixture(scope="module")
def photos(samples: Path) -> dict[str, bytes]:
    return {name: encoded(photo(samples / name, 480), "JPEG") for name in (*OBAMAS, "biden.jpg")}


@pytest.fixture
def room(request: pytest.FixtureRequest, whole: Whole, photos: dict[str, bytes]) -> "Room":
    return Room(whole, request.node.name[:60], photos)


class Room:
    """A collection of its own, and what is asked about it."""

    def __init__(self, whole: Whole, collection: str, photos: dict[str, bytes]) -> None:
        self.whole = whole
        self.collection = collection
        self.photos = photos
        self.client: FlaskClient = whole.client()

    def see(self, name: str, **more: Any) -> str:
        """Have a photo recognized; the job."""
        form = {"image": (io.BytesIO(self.photos[name]), name), "collection": self.collection, **more}
        return str(self.client.post("/v1/recognize", data=form).json["job"]["id"])  # type: ignore[index]

    def see_all(self) -> list[str]:
        """Obama three times, Biden once, and wait until the list has them."""
        jobs = [self.see(name) for name in self.photos]
        assert soon(lambda: sum(one.faces for one in self.page().clusters) == 4)
        return jobs

    def ask(self, method: str, path: str, json: Any = None, **query: Any) -> TestResponse:
        query = {"collection": self.collection, **query}
        return self.client.open(f"/v1/unknown{path}", method=method, json=json, query_string=query)

    def page(self, **query: Any) -> UnknownPage:
        response = self.ask("GET", "", **query)
        assert response.status_code == 200, response.text
        return UnknownPage.model_validate(response.json)

    def most_seen(self) -> UnknownOut:
        return self.page().clusters[0]

    def name(self, one: UnknownOut, name: str, faces: Any = None) -> NamedOut:
        response = self.ask("POST", f"/{one.id}/name", {"name": name, **({"faces": faces} if faces else {})})
        assert response.status_code == 200, response.text
        return NamedOut.model_validate(response.json)

    def put(self, one: UnknownOut, verb: str, faces: Any = None) -> FaceCount:
        response = self.ask("POST", f"/{one.id}/{verb}", {"faces": faces} if faces else {})
        assert response.status_code == 200, response.text
        return FaceCount.model_validate(response.json)

    def sizes(self, state: str = "new") -> list[int]:
        return [one.faces for one in self.page(state=state).clusters]

    def names(self, job: str) -> list[str]:
        state = JobState.model_validate(self.client.get(f"/v1/jobs/{job}").json)
        assert state.answer
        assert state.answer.names
        return state.answer.names

    def answer(self, job: str) -> Any:
        return self.client.get(f"/v1/jobs/{job}").json["answer"]  # type: ignore[index]

    def people(self) -> dict[str, int]:
        return {person.name: person.faces for person in self.whole.gallery.people(self.collection)}

    def undo(self, change: str | None, status: int = 200) -> None:
        assert self.client.post(f"/v1/history/{change}/undo").status_code == status


def test_strangers_are_put_together_by_who_they_are(room: Room) -> None:
    jobs = room.see_all()
    page = room.page()
    assert (page.enabled, page.days, page.next, page.total, page.grouping) == (True, 30, None, 2, False)
    assert [(one.faces, one.pictures, one.jobs, one.state) for one in page.clusters] == [
        (3, 3, 3, "new"),
        (1, 1, 1, "new"),
    ]
    obama = page.clusters[0]
    assert obama.first < obama.last
    found = WholeUnknown.model_validate(room.ask("GET", f"/{obama.id}").json)
    assert {face.source for face in found.face_list} == set(OBAMAS)
    assert {face.job for face in found.face_list} == set(jobs[:3])
    assert set(obama.members) == {face.id for face in found.face_list}
    for face in obama.members:
        crop = room.ask("GET", f"/faces/{face}/crop")
        assert (crop.status_code, crop.content_type) == (200, "image/jpeg")
        with Image.open(io.BytesIO(crop.data)) as picture:
            assert picture.format == "JPEG"


def test_page_by_page(room: Room) -> None:
    room.see_all()
    first = room.page(limit=1)
    assert (len(first.clusters), first.total) == (1, 2)
    second = room.page(limit=1, cursor=first.next)
    assert [one.faces for one in (*first.clusters, *second.clusters)] == [3, 1]
    assert second.next is None
    for cursor in ("x", "1-2", "1-1.2.3-" + "a" * 32, "9" * 40):
        assert room.ask("GET", "", cursor=cursor).status_code == 422


def test_naming_puts_the_old_answers_right(room: Room) -> None:
    jobs = room.see_all()
    assert [room.names(job) for job in jobs] == [["unknown"]] * 4
    done = room.name(room.most_seen(), OBAMA)
    assert (done.person.name, done.answers) == (OBAMA, 3)
    assert room.people() == {OBAMA: done.enrolled}
    assert 1 <= done.enrolled <= 3
    assert [room.names(job) for job in jobs] == [[OBAMA]] * 3 + [["unknown"]]
    assert room.sizes() == [1]
    assert room.names(room.see("obama2.jpg")) == [OBAMA]
    room.undo(done.change)
    assert room.people() == {}
    assert [room.names(job) for job in jobs] == [["unknown"]] * 4
    assert room.sizes() == [3, 1]
    room.undo(done.change, 409)


def test_somebody_who_is_known_gets_the_faces(room: Room, samples: Path) -> None:
    form = {"name": OBAMA, "photo": (io.BytesIO(room.photos["obama.jpg"]), "o.jpg"), "collection": room.collection}
    room.client.post("/v1/people", data=form)
    job = room.see("obama2.jpg", threshold="0.999")
    assert soon(lambda: room.sizes() == [1])
    [one] = room.page().clusters
    assert one.suggestion
    assert one.suggestion.name == OBAMA
    crop = room.client.get(f"/v1/faces/{one.suggestion.face_id}/crop?collection={room.collection}")
    assert crop.status_code == 200
    done = room.name(one, one.suggestion.name)
    assert done.person.id == one.suggestion.person_id
    assert room.names(job) == [OBAMA]
    room.undo(done.change)
    assert room.people() == {OBAMA: 1}
    assert room.names(job) == ["unknown"]


def test_it_is_not_whom_it_resembles(room: Room) -> None:
    form = {"name": OBAMA, "photo": (io.BytesIO(room.photos["obama.jpg"]), "o.jpg"), "collection": room.collection}
    room.client.post("/v1/people", data=form)
    room.see("obama2.jpg", threshold="0.999")
    assert soon(lambda: room.sizes() == [1])
    [one] = room.page().clusters
    assert one.suggestion
    response = room.ask("POST", f"/{one.id}/deny", {"person_id": one.suggestion.person_id})
    assert WholeUnknown.model_validate(response.json).suggestion is None
    assert room.names(room.see("obama2.jpg")) == ["unknown"]
    [change, *_] = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    assert (change["kind"], change["people"]) == ("deny", [{"id": one.suggestion.person_id, "name": OBAMA}])
    room.undo(change["id"])
    assert room.names(room.see("obama2.jpg")) == [OBAMA]
    assert room.ask("POST", f"/{one.id}/deny", {"person_id": OBAMA}).status_code == 404


@pytest.mark.parametrize("verb", ["ignore", "not-a-face"])
def test_who_is_put_aside_does_not_come_back(room: Room, verb: str) -> None:
    state = {"ignore": "ignored"}.get(verb, verb)
    room.see_all()
    done = room.put(room.most_seen(), verb)
    assert done.faces == 3
    assert (room.sizes(), room.sizes(state)) == ([1], [3])
    room.see("obama2.jpg")
    assert soon(lambda: room.sizes(state) == [4])
    assert room.sizes() == [1]
    [aside] = room.page(state=state).clusters
    back = room.put(aside, "restore")
    assert (room.sizes(), room.sizes(state)) == ([4, 1], [])
    room.undo(back.change)
    assert (room.sizes(), room.sizes(state)) == ([1], [4])
    room.undo(done.change)
    assert sum(room.sizes()) >= 4


def test_what_was_decided_since_is_not_undone(room: Room) -> None:
    room.see_all()
    first = room.put(room.most_seen(), "ignore")
    [aside] = room.page(state="ignored").clusters
    room.put(aside, "restore")
    last = room.put(room.most_seen(), "not-a-face")
    room.undo(first.change, 409)
    assert (room.sizes(), room.sizes("not-a-face")) == ([1], [3])
    room.undo(last.change)
    assert room.sizes() == [3, 1]


def test_somebody_elses_faces_are_taken_out(room: Room) -> None:
    room.see_all()
    faces = {face.source: face.id for face in _faces(room, room.most_seen())}
    assert room.put(room.most_seen(), "ignore", [faces["obama3.jpg"]]).faces == 1
    assert (room.sizes(), room.sizes("ignored")) == ([2, 1], [1])
    done = room.name(room.most_seen(), "His Twin", [faces["obama.jpg"]])
    assert done.answers == 1
    assert room.people() == {"His Twin": 1}
    response = room.ask("POST", f"/{room.page().clusters[-1].id}/name", {"name": "Ada", "faces": [faces["obama.jpg"]]})
    assert response.status_code == 404
    assert room.people() == {"His Twin": 1}


def _faces(room: Room, one: UnknownOut) -> Any:
    return WholeUnknown.model_validate(room.ask("GET", f"/{one.id}").json).face_list


def test_in_a_video_a_face_stands_for_many(room: Room, samples: Path, tmp_path: Path) -> None:
    pictures = [photo(samples / name, 360)[:, :240] for name in ("obama2.jpg", "biden.jpg")]
    clip = film(tmp_path / "clip.mp4", [pictures[0]] * 20 + [pictures[1]] * 10)
    form = {"video": (io.BytesIO(clip.read_bytes()), "clip.mp4"), "collection": room.collection, "every": "5f"}
    job = room.client.post("/v1/recognize", data=form).json["job"]["id"]  # type: ignore[index]
    assert soon(lambda: room.page().total == 2)
    assert sorted(one.pictures for one in room.page().clusters) == [2, 4]
    [obama] = [one for one in room.page().clusters if one.pictures == 4]
    done = room.name(obama, OBAMA)
    assert (done.answers, room.names(job)) == (1, [OBAMA])
    answer = JobState.model_validate(room.client.get(f"/v1/jobs/{job}").json).answer
    assert answer
    assert [(one.name, one.sightings) for one in answer.people or []] == [(OBAMA, 4), ("unknown", 2)]


def test_who_is_named_in_an_answer_waits_here_no_more(room: Room) -> None:
    jobs = room.see_all()
    done = room.client.post(f"/v1/jobs/{jobs[3]}/faces/0", json={"name": BIDEN}).json
    assert room.sizes() == [3]
    room.undo(done["change"])  # type: ignore[index]
    assert room.sizes() == [3, 1]
    assert room.people() == {}


def test_erased_for_good(room: Room) -> None:
    room.see_all()
    one = room.most_seen()
    assert FaceCount.model_validate(room.ask("DELETE", f"/{one.id}").json).faces == 3
    assert room.sizes() == [1]
    assert [room.ask("GET", f"/faces/{face}/crop").status_code for face in one.members] == [404] * 3
    assert room.ask("GET", f"/{one.id}").status_code == 404
    assert room.ask("DELETE", f"/{one.id}").status_code == 404


def test_the_same_request_again_is_one(room: Room) -> None:
    room.see_all()
    one = room.most_seen()
    path = f"/v1/unknown/{one.id}/name?collection={room.collection}"
    headers = {"Idempotency-Key": "once"}
    first = room.client.post(path, json={"name": OBAMA}, headers=headers)
    again = room.client.post(path, json={"name": OBAMA}, headers=headers)
    assert (again.status_code, again.json) == (200, first.json)
    changes = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    assert [change["kind"] for change in changes] == ["name"]
    assert room.client.post(path, json={"name": BIDEN}, headers=headers).status_code == 422
    assert room.ask("POST", f"/{one.id}/ignore", {}).status_code == 409


def test_what_makes_no_sense(room: Room) -> None:
    room.see_all()
    one = room.most_seen()
    assert room.ask("POST", f"/{one.id}/name", {"name": "a/b"}).status_code == 422
    assert room.ask("POST", f"/{one.id}/name", {"name": "unknown"}).status_code == 422
    assert room.ask("POST", f"/{one.id}/name", {}).status_code == 422
    assert room.ask("POST", f"/{one.id}/ignore", {"faces": []}).status_code == 422
    assert room.ask("POST", f"/{one.id}/ignore", {"faces": ["0" * 32]}).status_code == 404
    assert room.ask("POST", f"/{one.id}/ignore", {"all": True}).status_code == 422
    assert room.ask("POST", f"/{'0' * 32}/ignore", {}).status_code == 404
    assert room.ask("GET", "/x").status_code == 404
    assert room.ask("GET", "/faces/x/crop").status_code == 404
    assert room.ask("GET", "", state="named").status_code == 422
    assert room.ask("GET", f"/{one.id}", collection="another").status_code == 404
    assert room.sizes() == [3, 1]


def test_where_it_is_switched_off(tmp_path: Path, home: Path, photos: dict[str, bytes]) -> None:
    with open_whole(tmp_path) as whole:
        room = Room(whole, "default", photos)
        assert room.names(room.see("obama.jpg")) == ["unknown"]
        page = room.page()
        assert (page.enabled, page.days, page.clusters, page.total) == (False, 0, [], 0)
        response = room.ask("GET", f"/{'0' * 32}")
        assert response.status_code == 404
        assert "VISAGE_UNKNOWN_DAYS" in response.json["detail"]  # type: ignore[index]
        assert room.ask("POST", f"/{'0' * 32}/name", {"name": "Ada"}).status_code == 404
        assert not list(whole.unknown.list())


def test_a_naming_is_undone_though_the_faces_are_not_kept_any_more(
    tmp_path: Path, home: Path, photos: dict[str, bytes]
) -> None:
    with open_whole(tmp_path, unknown_days=30) as whole:
        room = Room(whole, "default", photos)
        jobs = room.see_all()
        before = [room.answer(job) for job in jobs]
        first = room.name(room.most_seen(), OBAMA)
        second = room.name(room.most_seen(), BIDEN)
        assert room.people() == {OBAMA: first.enrolled, BIDEN: 1}
    with open_whole(tmp_path) as whole:  # VISAGE_UNKNOWN_DAYS is 0 by now
        whole.unknown.delete([stored.key for stored in whole.unknown.list()])
        room = Room(whole, "default", photos)
        room.undo(first.change)
        assert room.people() == {BIDEN: 1}
        assert [room.names(job) for job in jobs] == [["unknown"]] * 3 + [[BIDEN]]
        room.undo(first.change, 409)
        room.undo(second.change)
        assert room.people() == {}
        assert [room.answer(job) for job in jobs] == before


def test_of_a_naming_whose_faces_are_kept_in_part_all_is_undone(
    tmp_path: Path, home: Path, photos: dict[str, bytes]
) -> None:
    with open_whole(tmp_path, unknown_days=30) as whole:
        room = Room(whole, "default", photos)
        jobs = room.see_all()
        done = room.name(room.most_seen(), OBAMA)
        whole.unknown.delete([faces_key(jobs[0])])
        room.undo(done.change)
        assert room.people() == {}
        assert [room.names(job) for job in jobs] == [["unknown"]] * 4
        assert soon(lambda: room.sizes() == [2, 1])


def test_who_is_somebody_elses_by_now_is_not_undone(tmp_path: Path, home: Path, photos: dict[str, bytes]) -> None:
    with open_whole(tmp_path, unknown_days=30) as whole:
        room = Room(whole, "default", photos)
        jobs = room.see_all()
        done = room.name(room.most_seen(), OBAMA)
        whole.gallery.move("default", [face.id for face in whole.gallery.faces("default")][:1], BIDEN)
    with open_whole(tmp_path) as whole:
        whole.unknown.delete([stored.key for stored in whole.unknown.list()])
        room = Room(whole, "default", photos)
        refused = room.client.post(f"/v1/history/{done.change}/undo")
        assert refused.status_code == 409
        assert "another person's by now" in refused.json["detail"]  # type: ignore[index]
        assert [room.names(job) for job in jobs[:3]] == [[OBAMA]] * 3


def test_a_look_at_a_picture_is_noted(room: Room) -> None:
    room.see_all()
    [first, *_] = room.most_seen().members

    def noted(request: str) -> list[Any]:
        log: Any = room.client.get(f"/v1/audit?collection={room.collection}&limit=200").json
        return [entry for entry in log["entries"] if entry["request"] == request]

    there, gone = (room.ask("GET", f"/faces/{face}/crop").headers["X-Request-Id"] for face in (first, "0" * 32))
    assert soon(lambda: bool(noted(there)))
    [entry] = noted(there)
    assert (entry["action"], entry["faces"], entry["people"]) == ("look", 1, [])
    assert noted(gone) == []


def test_each_needs_its_role(tmp_path: Path, home: Path, photos: dict[str, bytes]) -> None:
    with open_whole(tmp_path, unknown_days=1) as whole:
        room = Room(whole, "default", photos)
        keys = {role: whole.keyring.create(role.value, role)[1] for role in Role}
        room.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys[Role.RECOGNIZE]}"
        room.see_all()
        one = room.most_seen()
        needed = {
            ("GET", ""): Role.READ,
            ("GET", f"/{one.id}"): Role.READ,
            ("GET", f"/faces/{one.id}/crop"): Role.READ,
            ("POST", f"/{one.id}/ignore"): Role.ENROLL,
            ("POST", f"/{one.id}/restore"): Role.ENROLL,
            ("POST", f"/{one.id}/not-a-face"): Role.ENROLL,
            ("POST", f"/{one.id}/name"): Role.ENROLL,
            ("POST", f"/{one.id}/deny"): Role.ENROLL,
            ("DELETE", f"/{one.id}"): Role.ADMIN,
        }
        for role in Role:  # whose files others sent is for those who may name them
            room.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys[role]}"
            found: Any = room.ask("GET", f"/{one.id}").json
            told = {(face["job"] is not None, face["source"] is not None) for face in found["face_list"]}
            assert told == {(role.includes(Role.ENROLL),) * 2}
        for (method, path), least in needed.items():
            for role in Role:
                room.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys[role]}"
                refused = room.ask(method, path, {} if method == "POST" else None).status_code == 403
                assert refused is not role.includes(least), (method, path, role)
