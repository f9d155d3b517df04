"""Negative examples on real faces: the look-alike is no longer taken for them, and they are still known."""

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from visage import Engine, EnrollOptions, MatchOptions, Sighting
from visage.core.answers import Outcome

# Of LFW: who is enrolled, a stranger whom the rule for "unknown" takes for them, and another photo of each.
LOOK_ALIKES = [
    ("Liu_Mingkang/Liu_Mingkang_0002", "Liu_Mingkang/Liu_Mingkang_0001",
     "Gary_Locke/Gary_Locke_0001", "Gary_Locke/Gary_Locke_0002"),
    ("Kim_Ryong-sung/Kim_Ryong-sung_0004", "Kim_Ryong-sung/Kim_Ryong-sung_0006",
     "Zhu_Rongji/Zhu_Rongji_0006", "Zhu_Rongji/Zhu_Rongji_0005"),
    ("Yoko_Ono/Yoko_Ono_0004", "Yoko_Ono/Yoko_Ono_0002",
     "Yoriko_Kawaguchi/Yoriko_Kawaguchi_0003", "Yoriko_Kawaguchi/Yoriko_Kawaguchi_0013"),
]  # fmt: skip


def largest(engine: Engine, photo: Path, match: MatchOptions | None = None) -> Sighting:
    return max(engine.recognize(str(photo), match=match).sightings, key=lambda seen: seen.face.area)


def deny(engine: Engine, photo: Path, seen: Sighting) -> None:
    """Seen in that photo; whom it was taken for, it is not."""
    assert seen.match
    options = EnrollOptions(box=seen.face.box, deny=True)
    done = engine.enroll(str(photo), seen.match.person_id, options=options).enrollment
    assert done
    assert done.outcome is Outcome.DENIED


@pytest.mark.parametrize(("enrolled", "again", "stranger", "other"), LOOK_ALIKES)
def test_a_stranger_taken_for_somebody_is_not_taken_for_them_again(
    enrolled: str, again: str, stranger: str, other: str, engine: Engine, shared_data: Path
) -> None:
    photos = [shared_data / "lfw-dev" / "images" / f"{name}.jpg" for name in (enrolled, again, stranger, other)]
    assert engine.enroll(str(photos[0]), "Somebody", options=EnrollOptions(largest=True)).enrollment
    before = [largest(engine, photo) for photo in photos]
    assert [seen.name for seen in before] == ["Somebody"] * 4

    deny(engine, photos[2], before[2])
    after = [largest(engine, photo) for photo in photos]
    assert [seen.name for seen in after] == ["Somebody", "Somebody", "unknown", "unknown"]
    assert [seen.match for seen in after[:2]] == [seen.match for seen in before[:2]]
    assert [seen.nearest for seen in after[2:]] == [None, None]


def test_one_photo_denied_leaves_those_of_the_person_themselves(
    engine: Engine, samples: Path, tmp_path: Path
) -> None:  # fmt: skip
    """With no threshold everybody is taken for the only person there is; a mirrored, smaller copy stands for another
    photo of whom they are not."""
    copy = tmp_path / "copy.jpg"
    with Image.open(samples / "biden.jpg") as photo:
        ImageOps.mirror(photo).resize((photo.width * 2 // 3, photo.height * 2 // 3)).save(copy, quality=80)
    nearest = MatchOptions(nearest=True)
    assert engine.enroll(str(samples / "obama.jpg"), "Obama").enrollment
    wrong = largest(engine, samples / "biden.jpg", nearest)
    assert (wrong.name, largest(engine, copy, nearest).name) == ("Obama", "Obama")

    deny(engine, samples / "biden.jpg", wrong)
    assert [largest(engine, one, nearest).name for one in (samples / "biden.jpg", copy)] == ["unknown"] * 2
    for name in ("obama.jpg", "obama2.jpg", "obama3.jpg"):
        assert largest(engine, samples / name).name == "Obama"
    assert engine.gallery().size("default") == 1
