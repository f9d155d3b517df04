"""Unknown people: found together, named, old answers put right, put aside, undone, erased. With both galleries."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.contract.galleries import gallery, store  # noqa: F401 - fixtures
from tests.core.inboxes import Broken, World, jpeg, like, seen, somebody
from tests.fakes import CARD, match, quality
from tests.postgres.server import server  # noqa: F401 - a fixture
from visage.core.amend import BEFORE
from visage.core.errors import NoFaceError, NoPersonError, OtherModelError, StorageError, UsageError
from visage.core.ports.gallery import Gallery
from visage.core.ports.objects import Stored
from visage.core.unknown.inbox import Inbox
from visage.core.unknown.kept import State, crop_key, faces_key, forget_named, haul_from_bytes, naming_key
from visage.core.unknown.naming import ENROLLED
from visage.core.unknown.somebody import Cluster
from visage.core.values import EnrolledFace
from visage.objects.folder import FolderObjects

ADA, BO, CY = somebody(1), somebody(2), somebody(3)


@pytest.fixture
def world(tmp_path: Path, gallery: Gallery) -> World:  # noqa: F811
    return World(tmp_path / "world", gallery)


@pytest.fixture
def inbox(world: World) -> Inbox:
    return world.inbox()


def ids(cluster: Cluster) -> list[str]:
    return [face.id for face in cluster.faces]


def enrolled(name: str, vector: np.ndarray, face_id: str) -> EnrolledFace:
    points = np.zeros((5, 2), np.float32)
    return EnrolledFace(face_id, "", vector, CARD.name, None, points, f"{name}.jpg", face_id, quality(), 1.0)


def kept(world: World) -> list[str]:
    return [stored.key for stored in world.unknown.list()]


def test_people_are_found_together_over_photos_and_videos(world: World, inbox: Inbox) -> None:
    party = world.photo(seen(like(ADA, 1)), seen(like(BO, 1)))
    world.now += 100
    film = world.film(*[[seen(like(ADA, 10 + i), i)] for i in range(6)])
    ada, bo = inbox.clusters("default")
    assert (ada.jobs, ada.pictures, bo.jobs, bo.pictures) == (2, 7, 1, 1)
    assert {face.source for face in ada.faces} == {"party.jpg", "film.mp4"}
    assert {face.job for face in ada.faces} == {party, film}
    assert ada.id == min(ada.faces, key=lambda face: face.created).id
    assert ada.last - ada.first >= 100
    assert ada.state is State.NEW
    scores = [face.quality.score for face in ada.faces]
    assert scores == sorted(scores, reverse=True)
    assert all(inbox.cluster("default", one) == ada for one in ids(ada))
    assert inbox.crop(ada.faces[0].id).startswith(jpeg(np.zeros((1, 1, 3), np.uint8))[:10])
    assert inbox.clusters("family") == []


def test_who_is_in_one_photo_is_two_however_alike(world: World, inbox: Inbox) -> None:
    world.photo(seen(like(ADA, 1, 0.95)), seen(like(ADA, 2, 0.95)))
    assert [len(one.faces) for one in inbox.clusters("default")] == [1, 1]


def test_a_named_person_is_enrolled_and_old_answers_name_them(world: World, inbox: Inbox) -> None:
    party = world.photo(seen(like(ADA, 1), near=match("Bo", 0.4)), seen(like(BO, 1)))
    film = world.film(*[[seen(like(ADA, 10 + i), i), seen(like(CY, i), i)] for i in range(6)])
    ada = inbox.cluster(
        "default", next(face.id for one in inbox.clusters("default") if one.jobs == 2 for face in one.faces)
    )
    done = inbox.name("default", ids(ada), " Ada ")
    assert (done.person.name, done.new, done.answers, set(done.faces)) == ("Ada", True, 2, set(ids(ada)))
    faces = {face.id: face for face in world.gallery.faces("default", done.person.id)}
    assert faces.keys() == set(done.enrolled) <= set(ids(ada))
    assert all(face.crop and face.model == CARD.name for face in faces.values())
    assert world.names(party) == ["Ada", "unknown"]
    assert world.names(film) == ["Ada", "unknown"] * 6
    answer = world.result(film)["answer"]
    assert answer["names"] == ["Ada"]
    assert answer["people"][0]["intervals"] == [[0.0, 2.5]]
    told = world.result(party)["answer"]["faces"][0]
    assert told["match"] == told["nearest"]
    assert told["match"]["person_id"] == done.person.id
    assert told["match"]["face_id"] in done.enrolled
    assert told["match"]["similarity"] == 1.0
    assert told["runner_up"]["name"] == "Bo"
    assert all(done.person.id not in [face.person_id for face in one.faces] for one in inbox.clusters("default"))
    assert inbox.cluster("default", ids(ada)[0]).state is State.NAMED
    assert len(inbox.clusters("default")) == 2


def test_only_some_faces_may_be_named(world: World, inbox: Inbox) -> None:
    one, other = world.photo(seen(like(ADA, 1))), world.photo(seen(like(ADA, 2)))
    (ada,) = inbox.clusters("default")
    chosen = [face.id for face in ada.faces if face.job == one]
    inbox.name("default", chosen, "Ada")
    assert (world.names(one), world.names(other)) == (["Ada"], ["unknown"])
    (left,) = inbox.clusters("default")
    assert [face.job for face in left.faces] == [other]
    (suggested,) = inbox.suggestions([left])
    assert suggested
    assert suggested.name == "Ada"


def test_of_many_faces_the_best_and_different_ones_are_enrolled(world: World, inbox: Inbox) -> None:
    jobs = [world.photo(seen(like(ADA, i))) for i in range(25)]
    best = like(ADA, 0)
    copies = [like(best, 100 + i, 0.995) for i in range(5)]  # nearly one picture, and the best of all
    jobs += [world.photo(replace(seen(copy), quality=quality(0.99))) for copy in copies]
    (ada,) = inbox.clusters("default")
    done = inbox.name("default", ids(ada), "Ada")
    assert len(done.enrolled) == ENROLLED
    assert done.answers == 30
    scores = [face.quality.score for face in world.gallery.faces("default", done.person.id)]
    assert scores.count(0.99) == 1
    vectors = np.stack([face.vector for face in world.gallery.faces("default", done.person.id)])
    assert (vectors @ vectors.T - np.eye(ENROLLED)).max() < 0.98
    assert all(world.names(job) == ["Ada"] for job in jobs)
    similarities = [world.result(job)["answer"]["faces"][0]["match"]["similarity"] for job in jobs]
    assert min(similarities) > 0.5
    assert similarities.count(1.0) >= ENROLLED


def test_a_naming_is_undone(world: World, inbox: Inbox) -> None:
    party, film = (
        world.photo(seen(like(ADA, 1), near=match("Bo", 0.4)), seen(BO, who=match("Bo"))),
        world.film(*[[seen(like(ADA, 10 + i), i)] for i in range(6)]),
    )
    before = [world.result(job) for job in (party, film)]
    (ada,) = inbox.clusters("default")
    inbox.name("default", ids(ada), "Ada")
    assert inbox.unname("default", ids(ada)) == 2
    assert [world.result(job) for job in (party, film)] == before
    assert world.gallery.collections() == []
    assert inbox.clusters("default") == [ada]
    with pytest.raises(UsageError, match="not named"):
        inbox.unname("default", ids(ada))


def test_undoing_leaves_what_the_person_had_before(world: World, inbox: Inbox) -> None:
    bo = world.gallery.add("default", "Bo", enrolled("bo", BO, "f" * 32))
    world.photo(seen(like(ADA, 1)))
    (ada,) = inbox.clusters("default")
    done = inbox.name("default", ids(ada), "Bo")
    assert (done.person.id, done.person.faces, done.new) == (bo.id, 2, False)
    inbox.unname("default", ids(ada))
    assert world.gallery.person("default", "Bo") == bo


def test_what_went_to_somebody_else_is_not_undone(world: World, inbox: Inbox) -> None:
    job = world.photo(seen(like(ADA, 1)))
    (ada,) = inbox.clusters("default")
    done = inbox.name("default", ids(ada), "Ada")
    world.gallery.move("default", done.enrolled, "Cy")
    with pytest.raises(UsageError, match="another person"):
        inbox.unname("default", ids(ada))
    assert world.names(job) == ["Ada"]


def test_who_has_a_name_in_an_answer_keeps_it(world: World, inbox: Inbox) -> None:
    """A video in which a poor stand-in was named meanwhile."""
    film = world.film([seen(ADA, 0)], [seen(like(ADA, 1, 0.9), 1)])
    whole = world.result(film)
    whole["answer"]["faces"][1]["match"] = {"person_id": "x", "name": "Bo", "face_id": "y", "similarity": 0.9,
                                            "probability": 0.9}  # fmt: skip
    world.outputs.put(f"{film}/result.json", json.dumps(whole).encode())
    (ada,) = inbox.clusters("default")
    done = inbox.name("default", ids(ada), "Ada")
    assert world.result(film)["answer"]["names"] == ["Ada", "Bo"]
    assert world.result(film)[BEFORE].keys() == {f"0 {done.person.id}"}


@pytest.mark.parametrize("steps", range(7))
def test_a_naming_that_breaks_off_is_repeated(world: World, steps: int) -> None:
    """Killed before each of its writes in turn: then done again, it is as if nothing had been."""
    jobs = [world.photo(seen(like(ADA, i))) for i in range(3)]
    left = [steps]

    def fail(key: str) -> None:
        if left[0] == 0:
            raise StorageError("the store is away")
        left[0] -= 1

    broken = world.inbox(Broken(world.folder / "unknown", fail), Broken(world.folder / "outputs", fail))
    (ada,) = broken.clusters("default")
    with suppress(StorageError):
        broken.name("default", ids(ada), "Ada")
    afresh = world.inbox()
    done = afresh.name("default", ids(ada), "Ada")
    assert [face.id for face in world.gallery.faces("default")] == sorted(
        done.enrolled, key=[face.id for face in world.gallery.faces("default")].index
    )
    assert len(world.gallery.people("default")) == 1
    assert len(done.enrolled) == 3
    assert all(world.names(job) == ["Ada"] for job in jobs)
    assert afresh.clusters("default") == []
    assert afresh.unname("default", ids(ada)) == 3
    assert all(world.names(job) == ["unknown"] and BEFORE not in world.result(job) for job in jobs)


def test_a_naming_that_broke_off_may_be_made_good_under_another_name(world: World) -> None:
    job = world.photo(seen(like(ADA, 1)))

    def away(key: str) -> None:
        raise StorageError("the store is away")

    broken = world.inbox(outputs=Broken(world.folder / "outputs", away))
    (ada,) = broken.clusters("default")
    with pytest.raises(StorageError):
        broken.name("default", ids(ada), "Adda")
    assert [one.name for one in world.gallery.people("default")] == ["Adda"]
    done = world.inbox().name("default", ids(ada), "Ada")
    assert [one.name for one in world.gallery.people("default")] == ["Ada"]
    assert world.names(job) == ["Ada"]
    assert done.person.faces == 1


def test_a_naming_that_broke_off_is_undone_as_far_as_it_came(world: World) -> None:
    jobs = [world.photo(seen(like(ADA, i))) for i in range(4)]
    left = [3]

    def away(key: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise StorageError("the store is away")

    broken = world.inbox(outputs=Broken(world.folder / "outputs", away))
    (ada,) = broken.clusters("default")
    with pytest.raises(StorageError):
        broken.name("default", ids(ada), "Ada")
    inbox = world.inbox()
    assert len(inbox.clusters("default")[0].faces) == 2
    assert inbox.unname("default", ids(ada)) == 2
    assert [world.names(job) for job in jobs] == [["unknown"]] * 4
    assert world.gallery.people("default") == []
    assert inbox.clusters("default") == [ada]


def test_two_do_not_name_at_once(world: World) -> None:
    """Two processes: what the one is at, the other is told to wait for, unless the first has died of it."""
    jobs = [world.photo(seen(like(ADA, i))) for i in range(3)]
    seen_by: list[str] = []

    def meanwhile(key: str) -> None:
        if not seen_by:
            with pytest.raises(UsageError, match="ask again") as refused:
                world.inbox().name("default", ids(ada), "Bo")
            seen_by.append(str(refused.value))

    first = world.inbox(outputs=Broken(world.folder / "outputs", meanwhile))
    (ada,) = first.clusters("default")
    first.name("default", ids(ada), "Ada")
    assert seen_by
    assert [one.name for one in world.gallery.people("default")] == ["Ada"]
    assert [world.names(job) for job in jobs] == [["Ada"]] * 3
    world.unknown.put(naming_key("default"), b"{}")  # of one that was killed
    assert world.inbox().unname("default", ids(ada)) == 3
    assert not list(world.unknown.list("naming"))


def test_who_is_named_is_not_named_again_as_somebody_else(world: World, inbox: Inbox) -> None:
    world.photo(seen(like(ADA, 1)))
    (ada,) = inbox.clusters("default")
    inbox.name("default", ids(ada), "Ada")
    with pytest.raises(UsageError, match="somebody else already"):
        inbox.name("default", ids(ada), "Bo")
    with pytest.raises(UsageError, match="empty"):
        inbox.name("default", ids(ada), " ")
    world.gallery.rename("default", world.gallery.person("default", "Ada").id, "Countess")
    assert inbox.name("default", ids(ada), "Countess").answers == 0


@pytest.mark.parametrize("state", [State.IGNORED, State.NOT_A_FACE])
def test_who_is_put_aside_stays_so_with_new_faces(world: World, inbox: Inbox, state: State) -> None:
    world.photo(seen(like(ADA, 1)))
    world.photo(seen(like(BO, 1)))
    ada = next(one for one in inbox.clusters("default"))
    put_aside = inbox.ignore if state is State.IGNORED else inbox.not_a_face
    assert put_aside("default", ids(ada)) == 1
    assert put_aside("default", ids(ada)) == 0
    job = world.photo(seen(like(ADA if ada.faces[0].job == world.jobs[0] else BO, 2)))
    assert len(inbox.clusters("default")) == 1
    (aside,) = inbox.clusters("default", state)
    assert aside.jobs == 2
    assert job in {face.job for face in aside.faces}
    assert aside.id == ada.id
    assert inbox.restore("default", ids(aside)) == 2
    assert inbox.clusters("default", state) == []
    assert len(inbox.clusters("default")) == 2


def test_one_face_of_a_cluster_may_be_put_aside(world: World, inbox: Inbox) -> None:
    for i in range(3):
        world.photo(seen(like(ADA, i)))
    (ada,) = inbox.clusters("default")
    inbox.not_a_face("default", ids(ada)[:1])
    inbox.restore("default", ids(ada)[1:])
    (new,), (aside,) = inbox.clusters("default"), inbox.clusters("default", State.NOT_A_FACE)
    assert (ids(new), ids(aside)) == (ids(ada)[1:], ids(ada)[:1])


def test_several_processes_share_the_store(world: World, inbox: Inbox) -> None:
    other = world.inbox()
    world.photo(seen(like(ADA, 1)), seen(like(BO, 1)))
    (one, two) = inbox.clusters("default")
    assert other.clusters("default") == [one, two]
    other.ignore("default", ids(one))
    assert inbox.clusters("default") == [two]
    inbox.name("default", ids(two), "Bo")
    assert other.clusters("default") == []
    other.erase("default", ids(one))
    assert inbox.clusters("default", State.IGNORED) == []


def test_who_it_may_be_is_suggested(world: World, inbox: Inbox) -> None:
    gallery = world.gallery  # noqa: F811
    ada = gallery.add("default", "Ada", enrolled("ada", ADA, "a" * 32))
    bo = gallery.add("default", "Bo", enrolled("bo", BO, "b" * 32))
    world.photo(seen(like(ADA, 1, 0.7)))
    world.photo(seen(like(BO, 1, 0.55)), seen(CY))
    clusters = inbox.clusters("default")
    found = [suggested.name if suggested else None for suggested in inbox.suggestions(clusters)]
    assert sorted(found, key=str) == ["Ada", "Bo", None]
    gallery.hide("default", bo.id, True)
    denied = clusters[found.index("Ada")]
    examples = inbox.deny("default", ids(denied), ada.id)
    assert inbox.suggestions(clusters) == [None, None, None]
    assert [face.id for face in gallery.denials("default", ada.id)] == examples == ids(denied)
    assert gallery.undeny("default", examples) == 1
    with pytest.raises(NoPersonError):
        inbox.deny("default", ids(denied), "0" * 32)
    assert inbox.suggestions([]) == []


def test_a_gallery_of_another_model_is_named_as_the_trouble(world: World, inbox: Inbox) -> None:
    world.gallery.add("default", "Ada", replace(enrolled("ada", ADA, "a" * 32), model="another"))
    world.photo(seen(like(ADA, 1)))
    world.photo(seen(like(BO, 1)), model="another")
    (ada,) = inbox.clusters("default")
    assert inbox.suggestions([ada]) == [None]
    with pytest.raises(OtherModelError):
        inbox.name("default", ids(ada), "Ada")
    assert inbox.clusters("default") == [ada]


def test_a_face_that_another_model_measured_is_not_enrolled(world: World, inbox: Inbox) -> None:
    world.photo(seen(like(ADA, 1)), model="another")
    [face] = [face.id for face in haul_from_bytes(world.unknown.get(kept(world)[-1]), "").faces]
    ada = world.gallery.add("elsewhere", "Ada", enrolled("ada", ADA, "a" * 32))
    with pytest.raises(UsageError, match="another model"):
        inbox.name("default", [face], "Ada")
    with pytest.raises(UsageError, match="another model"):
        inbox.deny("default", [face], ada.id)
    assert world.gallery.people("default") == []
    assert inbox.ignore("default", [face]) == 1


def test_a_collection_is_found_however_its_name_is_spelled(world: World, inbox: Inbox) -> None:
    world.photo(seen(like(ADA, 1)), collection=" M\u00fcller ")
    [ada] = inbox.clusters("M\u00fcller")
    assert inbox.clusters(" Mu\u0308ller") == [ada] == [inbox.cluster("Mu\u0308ller", ada.id)]
    naming = inbox.name("Mu\u0308ller", ids(ada), "Ada")
    assert inbox.forget_person(" Mu\u0308ller", naming.person.id, []) == 1


def test_who_asks_for_what_never_was_does_not_have_the_store_listed_each_time(world: World) -> None:
    class Long(FolderObjects):
        looks = 0

        def list(self, prefix: str = "") -> Iterator[Stored]:
            self.looks += 1
            world.now += 2.0
            return super().list(prefix)

    looked = Long(world.folder / "unknown")
    inbox = Inbox(looked, world.inputs, world.outputs, lambda: world.gallery, CARD, now=lambda: world.now, days=7.0)
    for _ in range(20):
        with pytest.raises(NoFaceError):
            inbox.crop("0" * 32)
        world.now += 1.0
    assert looked.looks <= 5


def test_erased_faces_are_gone(world: World, inbox: Inbox) -> None:
    party = world.photo(seen(like(ADA, 1)), seen(like(BO, 1)))
    one, other = inbox.clusters("default")
    assert inbox.erase("default", ids(one)) == 1
    assert inbox.clusters("default") == [other]
    with pytest.raises(NoFaceError):
        inbox.crop(ids(one)[0])
    (left,) = [key for key in kept(world) if key.startswith("crops")]
    assert inbox.crop(ids(other)[0]) == world.unknown.get(left)
    assert json.loads(world.unknown.get(faces_key(party)))["faces"][0]["place"] == int(left[-5])
    assert len(world.unknown.get(faces_key(party))) < 3000


def test_a_deleted_job_takes_its_faces_along(world: World, inbox: Inbox) -> None:
    jobs = [world.photo(seen(like(ADA, i))) for i in range(2)]
    assert len(inbox.clusters("default")[0].faces) == 2
    assert inbox.forget_job(jobs[0]) == 1
    assert inbox.forget_job(jobs[0]) == 0
    assert kept(world) == [crop_key(jobs[1], 0), faces_key(jobs[1])]
    assert [face.job for face in inbox.clusters("default")[0].faces] == [jobs[1]]


def test_an_erased_person_takes_their_faces_along(world: World, inbox: Inbox) -> None:
    """Also where they are somebody else's by now, and whatever other inbox was asked."""
    jobs = [world.photo(seen(like(ADA, i)), seen(like(BO, i))) for i in range(14)]
    one, other = inbox.clusters("default")
    done = inbox.name("default", ids(one), "Ada")
    merged = world.gallery.move("default", done.enrolled, "Countess")
    faces = [face.id for face in world.gallery.faces("default", merged.id)]
    assert world.inbox().forget_person("family", merged.id, faces) == 0
    assert world.inbox().forget_person("default", merged.id, faces) == 14
    assert world.inbox().forget_person("default", done.person.id, []) == 0
    assert len(kept(world)) == 2 * len(jobs)
    assert inbox.clusters("default") == [other]


def test_the_command_erases_them_without_an_inbox(world: World, inbox: Inbox) -> None:
    jobs = [world.photo(seen(like(ADA, i)), seen(like(BO, i))) for i in range(3)]
    one, other = inbox.clusters("default")
    done = inbox.name("default", ids(one), "Ada")
    assert forget_named(world.unknown, "family", done.person.id, done.enrolled) == 0
    assert forget_named(world.unknown, "default", done.person.id, done.enrolled) == 3
    assert forget_named(world.unknown, "default", done.person.id, done.enrolled) == 0
    assert len(kept(world)) == 2 * len(jobs)
    assert world.inbox().clusters("default") == [other]


def test_what_was_kept_long_enough_is_swept_also_if_it_was_touched(world: World, inbox: Inbox) -> None:
    world.now -= 10_000
    world.photo(seen(like(ADA, 1)))
    (ada,) = inbox.clusters("default")
    world.now += 1000
    limit = world.now
    world.photo(seen(like(BO, 1)))
    inbox.ignore("default", ids(ada))
    assert inbox.sweep(limit) == 1
    assert inbox.clusters("default", State.IGNORED) == []
    assert len(kept(world)) == 2
    assert inbox.sweep(limit) == 0


def test_ids_that_are_not_there_change_nothing(world: World, inbox: Inbox) -> None:
    world.photo(seen(like(ADA, 1)), collection="family")
    (ada,) = inbox.clusters("family")
    for wrong in ([], ["0" * 32], [*ids(ada), "0" * 32]):
        for ask in (inbox.ignore, inbox.erase, inbox.unname, inbox.restore):
            with pytest.raises(NoFaceError):
                ask("family", wrong)
        with pytest.raises(NoFaceError):
            inbox.name("family", wrong, "Ada")
    with pytest.raises(NoFaceError):
        inbox.ignore("default", ids(ada))
    with pytest.raises(NoFaceError):
        inbox.cluster("default", ids(ada)[0])
    assert inbox.clusters("family") == [ada]


def test_one_damaged_object_does_not_hide_the_others(world: World, inbox: Inbox) -> None:
    one, _ = world.photo(seen(like(ADA, 1))), world.photo(seen(like(BO, 1)))
    world.unknown.put(faces_key(one), b"{")
    assert len(inbox.clusters("default")) == 1


def test_who_was_named_in_an_answer_waits_here_no_more(world: World, inbox: Inbox) -> None:
    film = world.film([seen(ADA, 0), seen(BO, 0)], [seen(like(ADA, 1, 0.99), 1), seen(BO, 1)])
    score = pytest.approx(seen(ADA).quality.score, abs=1e-3)
    (ada,) = [one for one in inbox.clusters("default") if one.faces[0].quality.score == score]
    assert inbox.told(film, [2], "1" * 32, "2" * 32) == 1, "the face that stands for that place too"
    assert [one.id for one in inbox.clusters("default")] != [ada.id]
    assert inbox.cluster("default", ada.id).state is State.NAMED
    assert world.inbox().forget_person("family", "1" * 32, []) == 0
    assert inbox.told(film, [2], None, None) == 1
    assert len(inbox.clusters("default")) == 2
    inbox.told(film, [0], "1" * 32, "2" * 32)
    assert inbox.forget_person("default", None, ["2" * 32]) == 1
    assert len(inbox.clusters("default")) == 1
