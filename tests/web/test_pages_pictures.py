"""What the page asks of /v1 that it would otherwise have to find out too late, or load again and again."""

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.web.fakes import Tier, open_tier
from visage import load_settings, open_engine
from visage.sqlite.gallery import SqliteGallery


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[Tier]:
    (tmp_path / "people" / "2026" / "Ada").mkdir(parents=True)
    opened = open_tier(bulk_folder=tmp_path / "people")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("folder", "status"), [("2026", 200), ("2026/", 200), ("2026/Ada", 200), ("", 200), ("nowhere", 404), ("../x", 422)]
)
def test_a_folder_is_looked_for_before_anything_is_begun(tier: Tier, folder: str, status: int) -> None:
    response = tier.app.test_client().get("/v1/bulk", query_string={"folder": folder})
    assert response.status_code == status
    assert tier.queue.sent == 0
    assert str(Path.cwd()) not in response.text


def test_no_folder_is_found_where_none_may_be_read() -> None:
    tier = open_tier()
    response = tier.app.test_client().get("/v1/bulk?folder=people")
    assert response.status_code == 422
    assert "VISAGE_BULK_FOLDER" in response.json["detail"]  # type: ignore[index]
    tier.close()


@pytest.fixture
def gallery(samples: Path, home: Path, tmp_path: Path) -> Iterator[SqliteGallery]:
    """Barack Obama alone, with his picture."""
    with open_engine(load_settings(gallery=f"sqlite:///{tmp_path}/gallery.sqlite")) as engine:
        engine.enroll(str(samples / "obama.jpg"), "Barack Obama")
    with closing(SqliteGallery(tmp_path / "gallery.sqlite", create=False)) as opened:
        yield opened


def test_a_browser_keeps_the_picture_of_a_face_until_it_is_erased(gallery: SqliteGallery) -> None:
    tier = open_tier(gallery=gallery)
    client = tier.app.test_client()
    cover = client.get("/v1/people").json["people"][0]["cover"]  # type: ignore[index]
    address = f"/v1/faces/{cover}/crop"
    first = client.get(address)
    assert first.headers["Cache-Control"] == "private, no-cache"
    tag = {"If-None-Match": first.headers["ETag"]}
    again = client.get(address, headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(address, headers={"If-None-Match": '"another"'}).data == first.data
    assert client.delete(f"/v1/faces/{cover}").status_code == 200
    assert client.get(address, headers=tag).status_code == 404
    tier.close()


def photo(width: int, height: int, kind: str = "JPEG", **options: Any) -> bytes:
    """Its left half is black, its right half white."""
    picture = Image.new("RGB", (width, height))
    picture.paste("white", (width // 2, 0, width, height))
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def turned() -> bytes:
    """Stored lying; right side up it is upright, and its lower half white."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return photo(900, 600, exif=exif)


@pytest.mark.parametrize("name", ["名前 😀.jpg", "Łódź.jpg", 'a "b".jpg', "50 %.jpg"])
def test_what_was_sent_is_given_back_whatever_it_is_called(tier: Tier, name: str) -> None:
    client = tier.app.test_client()
    form = {"image": (io.BytesIO(photo(90, 60)), name)}
    response = client.post("/v1/recognize", data=form, headers={"Prefer": "respond-async"})
    where = f"/v1/jobs/{response.json['job']['id']}/source/0"  # type: ignore[index]
    assert client.get(f"{where}?size=32").status_code == 200
    given = client.get(where)
    assert given.data == photo(90, 60)
    assert given.headers["Content-Disposition"].encode("latin-1").decode().startswith("inline; filename")


def sent(client: FlaskClient, data: bytes) -> str:
    """Where what was sent for a job is given back."""
    response = client.post("/v1/recognize", data=data, content_type="image/jpeg", headers={"Prefer": "respond-async"})
    assert response.status_code == 202
    return f"/v1/jobs/{response.json['job']['id']}/source/0"  # type: ignore[index]


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (photo(900, 600), (96, 64)),
        (photo(600, 900, "PNG"), (64, 96)),
        (turned(), (64, 96)),
        (photo(900, 600, progressive=True), (96, 64)),
        (photo(40, 30), (40, 30)),
        (photo(900, 1), (96, 1)),
    ],
    ids=["jpeg", "png", "turned", "progressive", "small already", "a line"],
)
def test_a_small_picture_of_what_was_sent(tier: Tier, data: bytes, size: tuple[int, int]) -> None:
    client = tier.app.test_client()
    where = sent(client, data)
    response = client.get(f"{where}?size=96")
    assert (response.status_code, response.content_type) == (200, "image/jpeg")
    with Image.open(io.BytesIO(response.data)) as picture:
        assert picture.size == size
        gray = np.asarray(picture.convert("L"))
        assert gray[-1, -1] > 200
        assert gray[0, 0] < 50
    again = client.get(f"{where}?size=96", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(f"{where}?size=97", headers={"If-None-Match": response.headers["ETag"]})
    assert other.status_code == 200
    assert client.get(where).data == data


def test_a_small_picture_of_what_is_there_of_a_photo_that_is_cut_off(tier: Tier, samples: Path) -> None:
    client = tier.app.test_client()
    data = (samples / "obama2.jpg").read_bytes()
    response = client.get(f"{sent(client, data[: len(data) // 2])}?size=96")
    with Image.open(io.BytesIO(response.data)) as picture:
        assert picture.size == (50, 96)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"no picture at all", 422), (b"\0\0\0\x18ftypmp42" + bytes(64), 422), (photo(900, 600)[:300], 422),
     (photo(2000, 1000), 413)],
    ids=["nothing", "video", "broken", "too many pixels"],
)  # fmt: skip
def test_there_is_no_small_picture_of_what_cannot_be_read(tier: Tier, data: bytes, status: int) -> None:
    client = tier.app.test_client()
    where = sent(client, data)
    assert client.get(f"{where}?size=96").status_code == status
    assert client.get(where).data == data


def test_a_small_picture_goes_with_its_job(tier: Tier) -> None:
    client = tier.app.test_client()
    where = sent(client, photo(90, 60))
    tag = client.get(f"{where}?size=32").headers["ETag"]
    assert [client.get(f"{where}?size={size}").status_code for size in ("0", "15", "2049", "x")] == [422] * 4
    assert client.get(where.replace("/0", "/1") + "?size=32").status_code == 404
    assert client.delete(where.removesuffix("/source/0")).status_code == 204
    assert client.get(f"{where}?size=32", headers={"If-None-Match": tag}).status_code == 404
