"""New vectors from kept crops: all at once or not at all, and near those of the photos."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEmbedder
from visage import Engine, EnrollOptions, Person, StorageError, VisageError, load_settings, open_engine
from visage.core.errors import GalleryError, OtherModelError
from visage.core.galleries.migrate import migrate
from visage.core.kit import Kit
from visage.core.ports.nets import Embedder
from visage.core.values import Embeddings, EnrolledFace, Pixels


def everybody(engine: Engine) -> tuple[list[Person], list[EnrolledFace]]:
    return engine.gallery().people("default"), list(engine.gallery().faces("default"))


def other_kit(engine: Engine, embedder: Embedder) -> Kit:
    """The engine's kit with another embedder."""
    kit = engine.kit
    return Kit(
        kit.decoder, kit.card, kit.make_detector, lambda: embedder, kit.open_gallery, kit.runtime, kit.to_jpeg,
        kit.from_jpeg, kit.clock, kit.now, kit.new_id,
    )  # fmt: skip


@pytest.fixture
def enrolled(engine: Engine, samples: Path) -> Engine:
    for name, photo in (("Obama", "obama.jpg"), ("Obama", "obama3.jpg"), ("Biden", "biden.jpg")):
        assert engine.enroll(str(samples / photo), name).enrollment
    assert engine.gallery().size("default") == 3
    return engine


def test_a_vector_made_of_the_kept_crop_is_near_that_of_the_photo(enrolled: Engine) -> None:
    people, before = everybody(enrolled)
    steps = list(migrate(enrolled.gallery(), "default", enrolled.kit))
    again, after = everybody(enrolled)
    assert steps == [1, 2, 3]
    assert again == people
    assert [face.id for face in after] == [face.id for face in before]
    cosines = [float(old.vector @ new.vector) for old, new in zip(before, after, strict=True)]
    assert min(cosines) >= 0.99


def test_after_a_change_of_embedder_the_old_one_is_refused_and_the_new_one_finds_everybody(enrolled: Engine) -> None:
    other = FakeEmbedder("other")
    list(migrate(enrolled.gallery(), "default", other_kit(enrolled, other)))
    gallery = enrolled.gallery()
    assert gallery.model("default") == "other"
    faces = list(gallery.faces("default"))
    assert {face.vector.shape for face in faces} == {(64,)}
    found = gallery.search("default", Embeddings(np.stack([face.vector for face in faces]), "other"), 1)
    assert [row[0].face_id for row in found] == [face.id for face in faces]
    with pytest.raises(OtherModelError, match="visage people migrate"):
        gallery.search("default", Embeddings(np.ones((1, 128), np.float32), enrolled.kit.card.name), 1)


def test_negative_examples_get_new_vectors_as_well(enrolled: Engine, samples: Path) -> None:
    gallery = enrolled.gallery()
    obama, biden = gallery.person("default", "Obama"), gallery.person("default", "Biden")
    box = enrolled.detect(str(samples / "biden.jpg")).sightings[0].face.box
    denied = enrolled.enroll(str(samples / "biden.jpg"), "Obama", options=EnrollOptions(box=box, deny=True)).enrollment
    assert denied
    gallery.deny("default", obama.id, next(gallery.faces("default", biden.id)))
    before = gallery.denials("default")
    assert list(migrate(gallery, "default", enrolled.kit)) == [1, 2, 3]
    after = gallery.denials("default")
    assert [kept.id for kept in after] == [kept.id for kept in before]
    assert min(float(old.vector @ new.vector) for old, new in zip(before, after, strict=True)) >= 0.99
    list(migrate(gallery, "default", other_kit(enrolled, FakeEmbedder("other"))))
    assert {(kept.model, kept.vector.shape) for kept in gallery.denials("default")} == {("other", (64,))}


def test_a_negative_example_without_a_crop_is_counted_too(enrolled: Engine) -> None:
    gallery = enrolled.gallery()
    obama = gallery.person("default", "Obama")
    kept = next(gallery.faces("default", gallery.person("default", "Biden").id))
    gallery.deny("default", obama.id, replace(kept, id="f" * 32, crop=None))
    with pytest.raises(GalleryError, match="1 faces in 'default' were enrolled without keeping a crop"):
        next(migrate(gallery, "default", enrolled.kit))


def test_an_error_on_the_way_changes_nothing(enrolled: Engine) -> None:
    class Failing(FakeEmbedder):
        def embed(self, crops: Pixels) -> Embeddings:
            raise StorageError("the disk is full")

    before = everybody(enrolled)[1]
    with pytest.raises(StorageError):
        list(migrate(enrolled.gallery(), "default", other_kit(enrolled, Failing("other"))))
    assert enrolled.gallery().model("default") == "resnet"
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(before, everybody(enrolled)[1], strict=True))


def test_broken_off_halfway_changes_nothing(enrolled: Engine) -> None:
    steps = migrate(enrolled.gallery(), "default", other_kit(enrolled, FakeEmbedder("other")))
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert enrolled.gallery().model("default") == "resnet"


def test_somebody_enrolled_meanwhile_is_taken_along(enrolled: Engine, samples: Path) -> None:
    for done in migrate(enrolled.gallery(), "default", other_kit(enrolled, FakeEmbedder("other"))):
        if done == 3:
            enrolled.enroll(str(samples / "obama2.jpg"), "Newcomer")
    assert enrolled.gallery().model("default") == "other"
    assert enrolled.gallery().size("default") == 4


def test_somebody_removed_meanwhile_stops_it_with_advice(enrolled: Engine) -> None:
    steps = migrate(enrolled.gallery(), "default", other_kit(enrolled, FakeEmbedder("other")))
    next(steps)
    enrolled.gallery().remove("default", enrolled.gallery().person("default", "Obama").id)
    with pytest.raises(GalleryError, match="try again"):
        list(steps)
    assert enrolled.gallery().model("default") == "resnet"


def test_faces_without_a_crop_are_counted_before_anything_is_done(samples: Path, home: Path, tmp_path: Path) -> None:
    settings = load_settings(gallery=f"sqlite:///{tmp_path / 'gallery.sqlite'}", keep_crops="no")
    with open_engine(settings) as engine:
        engine.enroll(str(samples / "obama.jpg"), "Obama")
        with pytest.raises(VisageError, match="1 faces in 'default' were enrolled without keeping a crop"):
            next(migrate(engine.gallery(), "default", engine.kit))


def test_nobody_enrolled_nothing_to_do(engine: Engine) -> None:
    assert list(migrate(engine.gallery(), "default", engine.kit)) == []
