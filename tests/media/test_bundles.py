"""Archives that come from outside, and folders of the server: what may be read is read, and nothing else."""

import io
import os
import struct
import sys
import zipfile
from pathlib import Path
from random import Random

import pytest

from visage.core.bulk.plan import Packed
from visage.core.errors import InputError, NotFoundError, StorageError, TooLargeError, UnreadableError, UsageError
from visage.media import archive, packed
from visage.media.bundles import FileBundles

MOST = 1_000_000


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as made_of:
        for name, data in files.items():
            made_of.writestr(name, data)
    return made.getvalue()


def listed(data: bytes, root: Path | None = None) -> list[Packed]:
    with FileBundles(root, MOST).archive(io.BytesIO(data), "people.zip") as bundle:
        return list(bundle.files())


def read(data: bytes, path: str) -> bytes:
    with FileBundles(None, MOST).archive(io.BytesIO(data), "people.zip") as bundle, bundle.open(path) as file:
        return file.read()


def test_what_is_in_an_archive(tmp_path: Path) -> None:
    data = zipped({"Bo/b.png": b"two", "Ada/": b"", "Ada/a.JPG": b"one", "Ada/film.mp4": b"three"})
    assert listed(data) == [Packed("Ada/a.JPG"), Packed("Ada/film.mp4"), Packed("Bo/b.png")]
    assert read(data, "Ada/a.JPG") == b"one"
    (tmp_path / "people.zip").write_bytes(data)
    with FileBundles(None, MOST).archive(str(tmp_path / "people.zip"), "x") as bundle, bundle.open("Bo/b.png") as file:
        assert file.read() == b"two"


def test_what_programs_leave_behind_is_left_out() -> None:
    hidden = ["__MACOSX/Ada/._a.jpg", ".git/a.jpg", "Ada/.DS_Store", "Ada/Thumbs.db", "Ada/.hidden/a.jpg"]
    assert listed(zipped(dict.fromkeys([*hidden, "Ada/a.jpg"], b"x"))) == [Packed("Ada/a.jpg")]


def test_what_is_no_photo_is_told_and_leaves_the_rest() -> None:
    files = {"Ada/a.jpg": b"x", "Ada/notes.txt": b"x", "Ada/more.zip": b"PK", "Ada/empty.jpg": b""}
    files |= {"Ada/large.jpg": b"x" * (MOST + 1), "Ada/a\x07b.jpg": b"x", f"Ada/{'x' * 1000}.jpg": b"x"}
    told = {one.path: one.problem for one in listed(zipped(files))}
    assert told.pop("Ada/a.jpg") == ""
    assert "no photo, by its name" in told["Ada/notes.txt"]
    assert "archive in itself" in told["Ada/more.zip"]
    assert "0 bytes" in told["Ada/empty.jpg"]
    assert "the limit is 1.0 MB" in told["Ada/large.jpg"]
    assert "rename it" in told["Ada/a\ufffdb.jpg"]
    assert all(told.values())


def test_links_and_other_packings_are_not_followed() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as made_of:
        link = zipfile.ZipInfo("Ada/link.jpg")
        link.external_attr = 0o120777 << 16
        made_of.writestr(link, "/etc/passwd")
        made_of.writestr("Ada/a.jpg", b"x", zipfile.ZIP_LZMA)
    told = {one.path: one.problem for one in listed(made.getvalue())}
    assert "link" in told["Ada/link.jpg"]
    assert "packed in a way" in told["Ada/a.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file's size")
def test_a_full_disk_is_not_the_photos_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worth a retry; a photo that is told to be damaged would be left out for good."""
    monkeypatch.setattr(packed, "_IN_MEMORY", 1000)
    data = zipped({"Ada/a.jpg": os.urandom(200_000)})
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(StorageError, match="free some space"):
            read(data, "Ada/a.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(read(data, "Ada/a.jpg")) == 200_000


@pytest.mark.parametrize("name", ["../a.jpg", "Ada/../../a.jpg", "/etc/a.jpg", "C:/a.jpg", "Ada\\..\\a.jpg", "\\a.jpg"])
def test_names_that_lead_out_refuse_the_whole(name: str) -> None:
    with pytest.raises(UnreadableError, match=r"people\.zip: it holds names that lead out"):
        listed(zipped({"Ada/a.jpg": b"x", name: b"x"}))


def test_names_in_other_spellings() -> None:
    data = zipped({"Ada\\a.jpg": b"x"})
    assert listed(data) == [Packed("Ada/a.jpg")]
    assert read(data, "Ada/a.jpg") == b"x"
    unmarked = zipped({"Jos\u00e9/a.jpg": b"x"}).replace(struct.pack("<H", 0x800), struct.pack("<H", 0))
    assert listed(unmarked) == [Packed("Jos\u00e9/a.jpg")]


def test_an_encrypted_one_is_refused() -> None:
    data = bytearray(zipped({"Ada/a.jpg": b"x"}))
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    with pytest.raises(UnreadableError, match="without a password"):
        listed(bytes(data))


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", zipped({"Ada/a.jpg": b"x"})[:-30], b"PK\x05\x06" + b"\xff" * 18],
    ids=["empty", "text", "cut off", "an end alone"],  # the bytes tell the time, and differ from process to process
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"people\.zip: it is no ZIP archive"):
        listed(data)


def test_bombs_are_refused_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({f"Ada/{number}.jpg": bytes(MOST) for number in range(80)})
    assert len(bomb) < 200_000
    with pytest.raises(TooLargeError, match=r"unpacks to 80\.0 MB"):
        listed(bomb)
    monkeypatch.setattr(archive, "MOST_FILES", 3)
    with pytest.raises(TooLargeError, match="holds 4 files; 3 are taken"):
        listed(zipped({f"Ada/{number}.jpg": b"x" for number in range(4)}))


def test_files_that_lie_one_over_the_other_are_refused() -> None:
    """As in a bomb whose entries all share one block of data."""
    data = zipped({"Ada/a.jpg": os.urandom(10_000)}, zipfile.ZIP_STORED)
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[start:end]
    table = b"".join(entry.replace(b"Ada/a.jpg", b"Ada/%d.jpg" % number) for number in range(10))
    ending = bytearray(data[end:])
    ending[8:16] = struct.pack("<HHI", 10, 10, len(table))
    with pytest.raises(UnreadableError, match="one over the other"):
        listed(data[:start] + table + bytes(ending))


def test_a_table_of_contents_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TABLE", 70_000)
    with pytest.raises(UnreadableError, match="no ZIP archive"):
        listed(zipped({f"Ada/{'x' * 200}{number}.jpg": b"x" for number in range(400)}))


def test_a_damaged_photo_is_found_when_it_is_read() -> None:
    data = bytearray(zipped({"Ada/a.jpg": b"x" * 500, "Ada/b.jpg": b"y" * 500}, zipfile.ZIP_STORED))
    data[data.index(b"x" * 500) + 3] = 0
    assert read(bytes(data), "Ada/b.jpg") == b"y" * 500
    with pytest.raises(UnreadableError, match="damaged"):
        read(bytes(data), "Ada/a.jpg")
    with pytest.raises(NotFoundError):
        read(bytes(data), "Ada/c.jpg")


def test_two_files_of_one_name_are_one(recwarn: pytest.WarningsRecorder) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as made_of:
        for data in (b"first", b"second"):
            made_of.writestr("Ada/a.jpg", data)
    recwarn.clear()
    assert sorted(one.problem for one in listed(made.getvalue())) == [
        "",
        "there are two files of this name in the archive",
    ]
    assert read(made.getvalue(), "Ada/a.jpg") == b"first"


def test_whatever_is_broken_is_told_in_words() -> None:
    """A thousand damaged archives: each is read, as far as it can be, or refused."""
    seeds = [
        zipped({"Ada/a.jpg": os.urandom(300), "Jos\u00e9/b.png": b"x" * 5000, "notes.txt": b"x"}, method)
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]
    refused = 0
    for seed in range(1000):
        chance = Random(seed)
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            table = data.rindex(b"PK\x01\x02") if b"PK\x01\x02" in data else 0
            at = chance.randrange(table if chance.random() < 0.7 else 0, len(data))
            width = chance.choice([1, 1, 2, 4])
            data[at : at + width] = chance.choice([chance.randbytes(width), b"\xff" * width, b""])
        try:
            with FileBundles(None, MOST).archive(io.BytesIO(data), "people.zip") as bundle:
                for one in bundle.files():
                    if not one.problem:
                        with bundle.open(one.path) as file:
                            file.read()
        except InputError:
            refused += 1
    assert 200 < refused < 950


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that may be read, in one that may not."""
    for name in ("open/2026/Ada", "open/2026/.hidden", "secret/Bo"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("open/2026/Ada/a.jpg", "open/2026/.hidden/b.jpg", "open/2026/Ada/notes.txt", "secret/Bo/c.jpg"):
        (tmp_path / name).write_text(name)
    (tmp_path / "open/2026/Cy").symlink_to(tmp_path / "secret/Bo")
    (tmp_path / "open/2026/Ada/c.jpg").symlink_to(tmp_path / "secret/Bo/c.jpg")
    (tmp_path / "open/out").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "open/2026/Ada/pipe.jpg")
    return tmp_path / "open"


def test_what_is_in_a_folder(root: Path) -> None:
    files = FileBundles(root, MOST)
    assert files.folders() == ["2026"]
    with files.folder("2026") as bundle:
        told = {one.path: one.problem for one in bundle.files()}
        assert told.pop("Ada/a.jpg") == ""
        assert "no photo" in told.pop("Ada/notes.txt")
        assert {path: "link" in problem for path, problem in told.items()} == {
            "Ada/c.jpg": True, "Ada/pipe.jpg": True, "Cy": True,
        }  # fmt: skip
        with bundle.open("Ada/a.jpg") as file:
            assert file.read() == b"open/2026/Ada/a.jpg"
    for name in ("", ".", "./"):
        with files.folder(name) as bundle:
            assert {one.path for one in bundle.files()} >= {"2026/Ada/a.jpg"}


@pytest.mark.parametrize("name", ["..", "../secret", "2026/../../secret", "/etc", "a\\b", "C:x", "x\0y"])
def test_no_name_leads_out_of_it(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match="below the one"), FileBundles(root, MOST).folder(name):
        pass


@pytest.mark.parametrize("name", ["out", "out/Bo", "2026/Cy", "nowhere", "2026/Ada/a.jpg"])
def test_no_link_leads_out_of_it(root: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match="no such folder"), FileBundles(root, MOST).folder(name):
        pass


@pytest.mark.parametrize(
    "path", ["Cy/c.jpg", "Ada/c.jpg", "Ada/pipe.jpg", "Ada/gone.jpg", "../../secret/Bo/c.jpg", "Ada"]
)
def test_nothing_else_is_opened_in_it(root: Path, path: str) -> None:
    """Also where the link was put there after the folder was listed."""
    with (
        FileBundles(root, MOST).folder("2026") as bundle,
        pytest.raises(InputError, match="damaged or gone"),
        bundle.open(path),
    ):
        pass


def test_without_such_a_folder_none_is_read() -> None:
    files = FileBundles(None, MOST)
    assert files.folders() is None
    with pytest.raises(UsageError, match="VISAGE_BULK_FOLDER"), files.folder("x"):
        pass
    assert FileBundles(Path("/nowhere"), MOST).folders() == []


def test_where_files_cannot_be_opened_beside_a_folder_the_way_is_looked_at(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visage.media.below._STEPS", False)
    test_what_is_in_a_folder(root)
    for name in ("out", "2026/Cy"):
        test_no_link_leads_out_of_it(root, name)
    for path in ("Cy/c.jpg", "Ada/c.jpg", "../../secret/Bo/c.jpg"):
        test_nothing_else_is_opened_in_it(root, path)
