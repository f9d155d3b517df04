"""POST /v1/jobs/ID/faces/N: somebody says who a face in an answer is; real faces, a real worker, a real gallery."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.doors.bad_files import encoded, film, photo
from tests.web.whole import Whole, open_whole
from visage.core.service.correct import same_face
from visage.core.service.keyring import Role
from visage.core.service.noted import WAITING
from visage.core.tickets import result_key
from visage.web.answers import Answered, AnswerOut, JobState, MatchOut, SightingOut
from visage.web.corrections import Corrected
from visage.web.jobs_types import CorrectionOf, JobPage, JobSummary, KnownJob

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Whole]:
    with open_whole(tmp_path_factory.mktemp("whole"), request_seconds=300.0) as opened:
        yield opened


@pytest.fixture(scope="module")
def two(samples: Path) -> bytes:
    """Obama on the left, Biden on the right."""
    return encoded(np.hstack([photo(samples / name, 480) for name in ("obama2.jpg", "biden.jpg")]), "PNG")


@pytest.fixture
def room(request: pytest.FixtureRequest, whole: Whole, samples: Path) -> "Room":
    """A collection of its own, in which Obama is known."""
    made = Room(whole, request.node.name[:60])
    made.enroll(OBAMA, (samples / "obama.jpg").read_bytes())
    return made


class Room:
    """A collection, and what is asked about it. client: without a key."""

    def __init__(self, whole: Whole, collection: str) -> None:
        self.whole = whole
        self.collection = collection
        self.client: FlaskClient = whole.client()

    def enroll(self, name: str, data: bytes) -> None:
        form = {"name": name, "photo": (io.BytesIO(data), f"{name}.png"), "collection": self.collection}
        assert self.client.post("/v1/people", data=form).json["photos"][0]["outcome"] == "enrolled"  # type: ignore[index]

    def recognize(self, data: bytes, field: str = "image", **more: Any) -> Answered:
        form = {field: (io.BytesIO(data), "party.png"), "collection": self.collection, **more}
        response = self.client.post("/v1/recognize", data=form)
        assert response.status_code == 200, response.text
        return Answered.model_validate(response.json)

    def correct(self, job: str, number: int, status: int = 200, **said: Any) -> Any:
        """number: of the face, as `in_order` has them."""
        headers = said.pop("headers", {})
        state = self.client.get(f"/v1/jobs/{job}").json or {}
        faces = (state.get("answer") or {}).get("faces", [])
        place = faces.index(in_order(faces)[number]) if number < len(faces) else number
        response = self.client.post(f"/v1/jobs/{job}/faces/{place}", json=said, headers=headers)
        assert response.status_code == status, response.text
        return Corrected.model_validate(response.json) if status == 200 else response.json

    def names(self, job: str) -> list[str | None]:
        """Of a kept answer."""
        state = JobState.model_validate(self.client.get(f"/v1/jobs/{job}").json)
        assert state.answer
        return names(state.answer)

    def jobs(self) -> list[JobSummary]:
        return JobPage.model_validate(self.client.get("/v1/jobs?limit=200").json).jobs

    def people(self) -> dict[str, int]:
        return {person.name: person.faces for person in self.whole.gallery.people(self.collection)}

    def undo(self, change: str, status: int = 200) -> None:
        assert self.client.post(f"/v1/history/{change}/undo").status_code == status


def in_order(faces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Picture by picture, from left to right."""
    return sorted(faces, key=lambda face: (face["frame"], face["box"][0]))


def seen_in(answer: AnswerOut) -> list[SightingOut]:
    return sorted(answer.faces or [], key=lambda face: (face.frame, face.box[0]))


def names(answer: AnswerOut) -> list[str | None]:
    return [face.name for face in seen_in(answer)]


def match(answer: AnswerOut, number: int) -> MatchOut:
    found = seen_in(answer)[number].match
    assert found
    return found


def test_naming_a_stranger(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    assert names(found.answer) == [OBAMA, "unknown"]
    done = room.correct(found.job.id, 1, name=BIDEN)
    assert done.enrollment.outcome == "enrolled"
    assert done.answer.names == [OBAMA, BIDEN]
    biden = match(done.answer, 1)
    assert (biden.name, biden.face_id, biden.probability) == (BIDEN, done.enrollment.face_id, 1.0)
    assert room.names(found.job.id) == [OBAMA, BIDEN]
    assert room.client.get(f"/v1/jobs/{found.job.id}/text").text == f"{OBAMA}\n{BIDEN}\n"
    assert room.people() == {OBAMA: 1, BIDEN: 1}
    kept = [stored.key for stored in room.whole.inputs.list(done.job.id)]
    assert kept == [f"{done.job.id}/ticket.json"]
    crop = room.client.get(f"/v1/faces/{biden.face_id}/crop?collection={room.collection}")
    with Image.open(io.BytesIO(crop.data)) as picture:
        assert max(picture.size) < 400  # Biden alone, out of the picture of both
    assert names(room.recognize(two).answer) == [OBAMA, BIDEN]


def test_it_is_somebody_else(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    done = room.correct(found.job.id, 0, name="His Twin")
    assert match(done.answer, 0).name == "His Twin"
    second = seen_in(done.answer)[0].runner_up
    assert second
    assert second.name == OBAMA
    assert names(room.recognize(two).answer) == ["His Twin", "unknown"]


def test_it_is_not_them(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    person = match(found.answer, 0).person_id
    done = room.correct(found.job.id, 0, deny=person)
    assert (done.enrollment.outcome, done.answer.names) == ("denied", ["unknown"])
    assert seen_in(done.answer)[0].nearest is None
    assert room.people() == {OBAMA: 1}
    assert len(room.whole.gallery.denials(room.collection, person)) == 1
    assert names(room.recognize(two).answer) == ["unknown", "unknown"]
    room.undo(done.change)
    assert room.names(found.job.id) == [OBAMA, "unknown"]
    assert names(room.recognize(two).answer) == [OBAMA, "unknown"]


def test_whoever_comes_next_takes_the_place_of_whom_it_is_not(room: Room, two: bytes, samples: Path) -> None:
    room.enroll("His Twin", encoded(photo(samples / "obama3.jpg", 480), "JPEG"))
    found = room.recognize(two)
    first, second = match(found.answer, 0), seen_in(found.answer)[0].runner_up
    assert second
    done = room.correct(found.job.id, 0, deny=first.person_id)
    assert match(done.answer, 0).name == second.name
    assert done.answer.names == [second.name]
    assert names(room.recognize(two).answer) == [second.name, "unknown"]


def test_undone_it_is_as_before(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    done = room.correct(found.job.id, 1, name=BIDEN)
    room.undo(done.change)
    assert room.people() == {OBAMA: 1}
    assert room.names(found.job.id) == [OBAMA, "unknown"]
    whole = room.client.get(f"/v1/jobs/{found.job.id}").json
    assert whole["answer"] == found.answer.model_dump(exclude_unset=True)  # type: ignore[index]
    room.undo(done.change, 409)


def test_who_does_not_wait_finds_the_answer_right_all_the_same(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    job = room.correct(found.job.id, 1, 202, name=BIDEN, headers=ASYNC)["job"]["id"]
    assert room.client.get(f"/v1/jobs/{job}?wait=10").json["status"] == "done"  # type: ignore[index]
    assert room.names(found.job.id) == [OBAMA, BIDEN]
    assert not list(room.whole.outputs.list(f"{WAITING}/{found.job.id}"))


def test_whoever_lists_the_jobs_finds_the_answer_right_and_what_corrected_it(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    person = match(found.answer, 0).person_id
    asked = [(1, {"name": BIDEN}), (0, {"deny": person})]
    ids = [room.correct(found.job.id, number, 202, headers=ASYNC, **said)["job"]["id"] for number, said in asked]
    soon(lambda: all(room.whole.outputs.version(result_key(one)) for one in ids))
    jobs = {job.id: job for job in room.jobs()}
    assert jobs[found.job.id].people == [BIDEN]
    assert jobs[found.job.id].corrects is None
    naming, denial = (jobs[one].corrects for one in ids)
    assert naming == CorrectionOf(job=found.job.id, person=BIDEN, denied=False)
    assert denial == CorrectionOf(job=found.job.id, person=OBAMA, denied=True)
    state = KnownJob.model_validate(room.client.get(f"/v1/jobs/{ids[0]}").json)
    assert state.corrects == naming
    assert not list(room.whole.outputs.list(f"{WAITING}/{found.job.id}"))


def test_whoever_asks_for_a_correction_that_is_done_finds_all_of_it_done(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    room.correct(found.job.id, 1, name="Ada")
    job = room.correct(found.job.id, 1, 202, name="Bo", headers=ASYNC)["job"]["id"]
    assert room.client.get(f"/v1/jobs/{job}?wait=60").json["status"] == "done"  # type: ignore[index]
    assert room.people() == {OBAMA: 1, "Bo": 1}


def test_nothing_waits_for_a_job_that_was_forgotten(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    job = room.correct(found.job.id, 1, 202, name=BIDEN, headers=ASYNC)["job"]["id"]
    assert room.client.delete(f"/v1/jobs/{found.job.id}").status_code == 204
    [listed] = [one for one in room.jobs() if one.id == job]
    assert listed.corrects
    assert not list(room.whole.outputs.list(f"{WAITING}/{found.job.id}"))


def test_what_is_undone_before_anybody_looked_stays_undone(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    job = room.correct(found.job.id, 1, 202, name=BIDEN, headers=ASYNC)["job"]["id"]
    soon(lambda: room.whole.outputs.version(result_key(job)) is not None)
    [change, *_] = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    room.undo(change["id"])
    assert room.names(found.job.id) == [OBAMA, "unknown"]


def test_the_same_request_again_is_one(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    key = {"Idempotency-Key": "once"}
    first = room.correct(found.job.id, 1, name=BIDEN, headers=key)
    again = room.correct(found.job.id, 1, name=BIDEN, headers=key)
    assert (again.job.id, again.change) == (first.job.id, first.change)
    assert room.people() == {OBAMA: 1, BIDEN: 1}
    room.undo(first.change)
    room.correct(found.job.id, 1, name=BIDEN, headers=key)
    assert room.names(found.job.id) == [OBAMA, "unknown"]
    room.correct(found.job.id, 1, 422, name="Somebody Else", headers=key)


def test_a_poor_face_is_named_but_not_learned_unless_it_has_to_be(room: Room, samples: Path) -> None:
    small = np.zeros((300, 300, 3), np.uint8)
    face = photo(samples / "obama2.jpg", 60)
    small[: face.shape[0], : face.shape[1]] = face
    found = room.recognize(encoded(small, "PNG"))
    [seen] = seen_in(found.answer)
    assert seen.quality.size < 32
    done = room.correct(found.job.id, 0, name="Somebody New")
    assert (done.enrollment.outcome, done.change) == ("too small", None)
    assert room.people() == {OBAMA: 1}
    changes = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    assert [change["kind"] for change in changes] == ["enroll"]
    assert names(done.answer) == [seen.name]
    done = room.correct(found.job.id, 0, name=OBAMA)
    assert done.enrollment.outcome == "too small"
    assert match(done.answer, 0).name == OBAMA
    done = room.correct(found.job.id, 0, name="Somebody New", force=True)
    assert match(done.answer, 0).name == "Somebody New"
    assert room.people() == {OBAMA: 1, "Somebody New": 1}


def test_in_a_video_it_goes_for_the_face_as_long_as_it_is_seen(room: Room, samples: Path, tmp_path: Path) -> None:
    pictures = [photo(samples / name, 360)[:, :240] for name in ("obama2.jpg", "biden.jpg")]
    clip = film(tmp_path / "clip.mp4", [pictures[0]] * 10 + [pictures[1]] * 20)
    found = room.recognize(clip.read_bytes(), "video", every="5f")
    assert names(found.answer) == [OBAMA] * 2 + ["unknown"] * 4
    done = room.correct(found.job.id, 3, name=BIDEN)
    assert names(done.answer) == [OBAMA] * 2 + [BIDEN] * 4
    assert [(one.name, one.sightings) for one in done.answer.people] == [(BIDEN, 4), (OBAMA, 2)]
    assert done.answer.people[0].intervals == [[1.0, 2.5]]
    again = room.recognize(clip.read_bytes(), "video", every="5f")
    assert names(again.answer) == [OBAMA] * 2 + [BIDEN] * 4


def test_whoever_is_erased_meanwhile_is_not_named(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    room.correct(found.job.id, 1, 202, name=BIDEN, headers=ASYNC)
    [change, *_] = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    job = change["id"].partition("-")[2]
    soon(lambda: room.whole.outputs.version(result_key(job)) is not None)  # and nobody asks for it
    [person] = [one for one in room.whole.gallery.people(room.collection) if one.name == BIDEN]
    assert room.client.delete(f"/v1/people/{person.id}?collection={room.collection}").status_code == 200
    assert room.names(found.job.id) == [OBAMA, "unknown"]
    assert BIDEN.encode() not in room.whole.outputs.get(result_key(found.job.id))


def test_two_corrections_of_a_face_count_in_the_order_they_were_made(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    for name in ("First", "Second", "Third"):
        room.correct(found.job.id, 1, 202, name=name, headers=ASYNC)
    done = room.correct(found.job.id, 1, name="Last")
    assert match(done.answer, 1).name == "Last"
    assert room.names(found.job.id) == [OBAMA, "Last"]
    assert room.people() == {OBAMA: 1, "Last": 1}


def test_one_of_two_corrections_undone_leaves_the_other(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    first, second = (room.correct(found.job.id, 1, name=name).change for name in ("First", "Second"))
    room.undo(second)
    assert room.names(found.job.id) == [OBAMA, "First"]
    second = room.correct(found.job.id, 1, name="Second").change
    room.undo(first)
    assert room.names(found.job.id) == [OBAMA, "Second"]
    room.undo(second)
    whole = room.client.get(f"/v1/jobs/{found.job.id}").json
    assert whole["answer"] == found.answer.model_dump(exclude_unset=True)  # type: ignore[index]


def test_a_face_is_enrolled_once_as_whom_the_last_correction_says(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    first = room.correct(found.job.id, 1, name="Ada")
    second = room.correct(found.job.id, 1, name="Bo")
    assert room.people() == {OBAMA: 1, "Bo": 1}
    assert names(room.recognize(two).answer) == [OBAMA, "Bo"]
    changes = room.client.get(f"/v1/history?collection={room.collection}").json["changes"]  # type: ignore[index]
    assert [one["name"] for one in changes[0]["people"]] == ["Bo", "Ada"]
    room.undo(second.change)
    assert room.names(found.job.id) == [OBAMA, "Ada"]
    assert room.people() == {OBAMA: 1, "Ada": 1}
    learned, restored = match(first.answer, 1), match(room.recognize(two).answer, 1)
    assert (restored.person_id, restored.face_id) == (learned.person_id, learned.face_id)
    assert restored.similarity > 0.99
    room.undo(first.change)
    assert room.people() == {OBAMA: 1}
    assert room.names(found.job.id) == [OBAMA, "unknown"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_corrections_of_a_face_are_undone_in_any_order(room: Room, two: bytes, order: tuple[int, ...]) -> None:
    found = room.recognize(two)
    said = ["Ada", "Bo", "Cy"]
    changes = [room.correct(found.job.id, 1, name=name).change for name in said]
    standing = [0, 1, 2]
    for number in order:
        room.undo(changes[number])
        standing.remove(number)
        last = [said[standing[-1]]] if standing else []
        assert room.people() == {OBAMA: 1, **dict.fromkeys(last, 1)}
        assert room.names(found.job.id) == [OBAMA, *(last or ["unknown"])]
        room.undo(changes[number], 409)


def test_who_was_there_before_keeps_their_own_faces(room: Room, two: bytes, samples: Path) -> None:
    """And a picture that they are enrolled with already is no second face of theirs once all is undone."""
    room.enroll(BIDEN, encoded(photo(samples / "biden.jpg", 480), "PNG"))
    found = room.recognize(two)
    first = room.correct(found.job.id, 1, name=OBAMA).change
    assert room.people() == {BIDEN: 1, OBAMA: 2}
    second = room.correct(found.job.id, 1, name=BIDEN)
    assert room.people()[OBAMA] == 1
    room.undo(second.change)
    assert room.people() == {BIDEN: 1, OBAMA: 2}
    room.undo(first)
    assert room.people() == {BIDEN: 1, OBAMA: 1}


def test_whoever_is_erased_is_not_brought_back_by_undoing(room: Room, two: bytes, samples: Path) -> None:
    room.enroll("Ada", encoded(photo(samples / "obama3.jpg", 480), "JPEG"))
    found = room.recognize(two)
    for name in ("Ada", "Bo"):
        last = room.correct(found.job.id, 1, name=name)
    assert room.people() == {OBAMA: 1, "Ada": 1, "Bo": 1}
    [ada] = [one for one in room.whole.gallery.people(room.collection) if one.name == "Ada"]
    assert room.client.delete(f"/v1/people/{ada.id}?collection={room.collection}").status_code == 200
    room.client.post(f"/v1/history/{last.change}/undo")
    assert "Ada" not in room.people()


def test_of_a_video_no_picture_of_the_face_is_lost(room: Room, samples: Path, tmp_path: Path) -> None:
    """Two pictures of one track are corrected, one after the other."""
    pictures = [photo(samples / name, 360)[:, :240] for name in ("obama2.jpg", "biden.jpg")]
    smeared = cv2.GaussianBlur(pictures[1], (0, 0), 2).astype(np.uint8)
    clip = film(tmp_path / "clip.mp4", [pictures[0]] * 5 + [pictures[1]] * 10 + [smeared] * 10)
    found = room.recognize(clip.read_bytes(), "video", every="5f")
    assert names(found.answer) == [OBAMA] + ["unknown"] * 4
    first = room.correct(found.job.id, 1, name="Ada")
    assert names(first.answer)[1:] == ["Ada"] * 4
    second = room.correct(found.job.id, 4, name="Bo", force=True)
    assert "Ada" not in room.people()
    assert room.people() == {OBAMA: 1, "Bo": 2}
    room.undo(second.change)
    assert room.people() == {OBAMA: 1, "Ada": 1}
    room.undo(first.change)
    assert room.people() == {OBAMA: 1}


def test_several_at_once(room: Room, two: bytes) -> None:
    found = room.recognize(two)
    said = [(0, "His Twin"), (1, BIDEN)]
    threads = [threading.Thread(target=_say, args=(room, found.job.id, *one)) for one in said]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.names(found.job.id) == ["His Twin", BIDEN]


def soon(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def _say(room: Room, job: str, place: int, name: str) -> None:
    Room(room.whole, room.collection).correct(job, place, name=name)


def test_what_cannot_be_corrected(room: Room, two: bytes, samples: Path) -> None:
    found = room.recognize(two)
    job = found.job.id
    assert "counted from 0" in room.correct(job, 2, 404, name=BIDEN)["detail"]
    assert "'name' and 'deny'" in room.correct(job, 0, 422)["detail"]
    assert "'name' and 'deny'" in room.correct(job, 0, 422, name="Ada", deny="a" * 32)["detail"]
    room.correct(job, 0, 422, name="a/b")
    room.correct(job, 0, 404, deny=OBAMA)  # by id alone
    room.correct("0" * 32, 0, 404, name=BIDEN)
    detected = room.client.post("/v1/detect", data={"image": (io.BytesIO(two), "two.png")}).json
    assert "who is there" in room.correct(detected["job"]["id"], 0, 409, name=BIDEN)["detail"]  # type: ignore[index]
    room.whole.inputs.delete([f"{job}/0"])
    assert "not kept any more" in room.correct(job, 1, 404, name=BIDEN)["detail"]
    assert room.people() == {OBAMA: 1}


def test_it_takes_the_role_to_enroll_and_the_job_to_be_ones_own(
    tmp_path: Path, home: Path, two: bytes, samples: Path
) -> None:
    with open_whole(tmp_path) as whole:
        room = Room(whole, "default")
        keys = {role: whole.keyring.create(role.value, role)[1] for role in Role}
        whole.keyring.create("other", Role.ENROLL)

        def correct(job: str, role: Role) -> int:
            headers = {"Authorization": f"Bearer {keys[role]}"}
            return whole.client().post(f"/v1/jobs/{job}/faces/0", json={"name": "Ada"}, headers=headers).status_code

        room.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys[Role.ENROLL]}"
        job = room.recognize(two).job.id
        assert [correct(job, role) for role in (Role.READ, Role.RECOGNIZE)] == [403, 403]
        room.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys[Role.ADMIN]}"
        others = room.recognize(two).job.id
        assert correct(others, Role.ENROLL) == 404
        assert correct(job, Role.ENROLL) == 200
        assert correct(job, Role.ADMIN) == 200


Seen = Callable[..., dict[str, Any]]


@pytest.fixture
def seen() -> Seen:
    def made(frame: int, left: float, person: str | None = None, *, time: float | None = None) -> dict[str, Any]:
        match = {"person_id": person} if person else None
        at = frame / 10 if time is None else time
        return {"frame": frame, "time": at, "box": [left, 0.0, left + 100.0, 100.0], "match": match}

    return made


def test_a_face_is_followed_as_long_as_it_moves_little(seen: Seen) -> None:
    """Two people cross the picture; one is called Ada for a while."""
    faces = [
        *(seen(frame, left) for frame in range(4) for left in (40.0 * frame, 900.0 - 40.0 * frame)),
        seen(4, 160.0, "ada"),
        seen(5, 200.0),
        seen(40, 160.0),
    ]
    assert same_face(faces, 2) == [0, 2, 4, 6]
    assert same_face(faces, 7) == [1, 3, 5, 7]
    assert same_face(faces, 8) == [8]
    assert same_face(faces, 10) == [10]
    assert same_face([seen(0, 0.0), seen(1, 0.0, time=1.5), seen(2, 80.0, time=2.0)], 0) == [0, 1]
