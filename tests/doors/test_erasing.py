"""`visage people remove`: what is kept of somebody goes, wherever that is, and nothing is made where nothing was."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.core.schedules import Lambda
from tests.core.service_fakes import Bench, NamedPictures, Service, asked, enroll_both, make_kit
from tests.core.test_erasure import to_enroll
from tests.doors.conftest import ROOT, Visage
from visage import load_settings
from visage.apps.stages import remember
from visage.core.journal.change import ChangeKind
from visage.core.journal.history import History
from visage.core.journal.steps import Pending
from visage.core.serverless.results import json_key
from visage.core.serverless.staging import erased_key
from visage.core.serverless.struck import notes_in
from visage.objects.folder import FolderObjects
from visage.settings import Settings
from visage.sqlite.gallery import SqliteGallery

# Once in a process of its own: what the command loads and what it leaves, in a home where there is a gallery alone.
ALONE = """
import json, sys
from visage.apps.cli.main import visage
try:
    visage(["--home", sys.argv[1], "people", "remove", "Ada"], standalone_mode=False)
finally:
    print(json.dumps([name for name in ("scipy", "flask", "obstore", "boto3", "torch") if name in sys.modules]))
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    enroll_both(tmp_path)
    with closing(Service(tmp_path)) as opened:
        yield opened


def places(folder: Path) -> dict[str, str]:
    """The settings of that service."""
    return {
        "VISAGE_HOME": str(folder / "home"),
        "VISAGE_GALLERY": f"sqlite:///{folder / 'gallery.sqlite'}",
        "VISAGE_QUEUE": f"sqlite:///{folder / 'queue.sqlite'}",
        "VISAGE_INPUTS": f"file://{folder / 'inputs'}",
        "VISAGE_OUTPUTS": f"file://{folder / 'outputs'}",
    }


def test_the_jobs_of_the_service_go_as_over_http(tmp_path: Path, service: Service, visage: Visage) -> None:
    wanted = [asked("ada"), asked("bo"), to_enroll("nobody", "Ada")]
    with Bench(service, make_kit(tmp_path, NamedPictures())).working():
        jobs = [service.reception.answer(one, 20.0)[0].id for one in wanted]
    service.reception.submit(to_enroll("ada", "Ada"))
    (delivery,) = service.queue.receive(1, 1.0)
    assert service.queue.bury(delivery.receipt, "it died")
    done = visage("people", "remove", "--json", "Ada", **places(tmp_path))
    assert done.code == 0, done.err
    said = done.json
    assert {key: said[key] for key in ("faces", "crops", "jobs", "uploads", "results")} == {
        "faces": 1, "crops": 0, "jobs": 3, "uploads": 0, "results": 0,
    }  # fmt: skip
    assert service.queue.dead() == []
    assert {stored.key.split("/")[0] for stored in service.outputs.list()} == {jobs[1]}
    kept = b"".join(service.outputs.get(stored.key) for stored in service.outputs.list())
    assert said["removed"]["id"].encode() not in kept
    assert not (tmp_path / "home").exists()
    again = visage("people", "remove", "Bo", **places(tmp_path))
    assert again.out == "Bo is erased, with 1 face, and 1 job of the service\n"


def test_a_change_that_waits_for_jobs_that_were_erased_goes_with_them(
    tmp_path: Path, service: Service, visage: Visage
) -> None:
    """It has the name that they were to enroll, and no id yet."""
    journal = FolderObjects(tmp_path / "journal")
    with closing(SqliteGallery(tmp_path / "gallery.sqlite", create=False)) as gallery:
        history = History(journal, lambda: gallery, ended=lambda _: None, now=time.time, new_id=lambda: "0" * 32)
        for name in ("Ada", "Bo"):
            ticket = service.reception.submit(to_enroll("nobody", name))
            steps = [Pending((ticket.id,), name)]
            history.add(ChangeKind.ENROLL, "default", [("", name)], steps, by="", key=ticket.id)
    done = visage("people", "remove", "Ada", VISAGE_JOURNAL=f"file://{tmp_path / 'journal'}", **places(tmp_path))
    assert done.code == 0, done.err
    left = b"".join(journal.get(stored.key) for stored in journal.list())
    assert b'"Ada"' not in left
    assert b'"Bo"' in left


def test_where_no_service_ever_ran_nothing_is_made_or_loaded_for_one(tmp_path: Path) -> None:
    enroll_both(tmp_path)
    for late in tmp_path.glob("gallery.sqlite-*"):
        late.unlink()
    before = {path.name for path in tmp_path.iterdir()}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VISAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=60, env=environment | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["Ada is erased, with 1 face", "[]"]
    assert {path.name for path in tmp_path.iterdir()} - {"gallery.sqlite-wal", "gallery.sqlite-shm"} == before


def test_the_stage_of_a_folder_that_is_watched_goes_and_its_results_stay(tmp_path: Path, visage: Visage) -> None:
    settings, result = watched(tmp_path)
    kept = (tmp_path / "names" / "clip.json").read_bytes()
    done = visage("people", "remove", "--json", "Ada", **places(tmp_path))
    assert done.code == 0, done.err
    assert (done.json["uploads"], done.json["results"]) == (1, 1)
    assert (tmp_path / "names" / "clip.json").read_bytes() == kept == json.dumps(result, separators=(",", ":")).encode()
    stage = FolderObjects(tmp_path / "stage")
    assert [stored.key for stored in stage.list()] == [erased_key()]
    assert [one.person for one in notes_in(stage)] == [done.json["removed"]["id"]]
    assert settings.stage_url == f"file://{tmp_path / 'stage'}"


def test_from_a_published_copy_nobody_is_erased_and_nothing_else_goes(tmp_path: Path, visage: Visage) -> None:
    watched(tmp_path)
    copy = f"file://{tmp_path / 'names.sqlite'}"
    assert visage("gallery", "publish", VISAGE_PUBLISH=copy, **places(tmp_path)).code == 0
    before = [stored.key for stored in FolderObjects(tmp_path / "stage").list()]
    done = visage("people", "remove", "Ada", **places(tmp_path) | {"VISAGE_GALLERY": copy})
    assert done.code == 1
    assert "published copy" in done.err
    assert [stored.key for stored in FolderObjects(tmp_path / "stage").list()] == before


def test_it_is_said_in_words_too_and_who_comes_back_is_welcome(tmp_path: Path, visage: Visage) -> None:
    watched(tmp_path)
    exported = visage("people", "export", tmp_path / "people.visage", **places(tmp_path))
    assert exported.code == 0, exported.err
    done = visage("people", "remove", "Ada", **places(tmp_path))
    assert done.out.splitlines() == [
        "Ada is erased, with 1 face",
        "what lay in the stage of 1 video names them no more",
        "1 result of these, your own, still do: delete what you do not need",
    ]
    stage = FolderObjects(tmp_path / "stage")
    assert len(notes_in(stage)) == 1
    assert visage("people", "import", tmp_path / "people.visage", **places(tmp_path)).code == 0
    assert notes_in(stage) == []


def test_a_stage_that_is_gone_is_passed_over(tmp_path: Path, visage: Visage) -> None:
    settings, _ = watched(tmp_path)
    (tmp_path / "stage").rename(tmp_path / "moved")
    FolderObjects(tmp_path / "home" / "watched").put("more.json", b"no JSON")
    done = visage("people", "remove", "--json", "Ada", **places(tmp_path))
    assert (done.code, done.json["uploads"]) == (0, 0)
    assert not (tmp_path / "stage").exists()
    assert settings.stage_url.endswith("/stage")


def watched(folder: Path) -> tuple[Settings, dict[str, Any]]:
    """A folder that was watched, with the upload of a clip of Ada; the result."""
    enroll_both(folder)
    world = Lambda(folder, 1)
    world.upload("clip.mp4", ["ada"] * 4)
    world.run()
    for store, name in ((world.stores.stage, "stage"), (world.stores.outputs, "names")):
        for stored in store.list():
            FolderObjects(folder / name).put(stored.key, store.get(stored.key))
    world.gallery.close()
    settings = load_settings(
        home=folder / "home", stage=f"file://{folder / 'stage'}", outputs=f"file://{folder / 'names'}"
    )
    remember(settings)
    return settings, json.loads(world.stores.outputs.get(json_key("clip.mp4")))
