"""One engine, six doors: Python, the command, the web tier, a job asked for later; and for a video, a folder that is
watched, and the two functions. All say the same."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doors.bad_files import film, photo
from tests.doors.conftest import BIDEN, OBAMA, ROOT
from tests.doors.service import LONG, Service, Site, site_in
from tests.serverless.cloud import Cloud, cloud_in
from visage import Engine, Sampling, open_engine


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, home: Path, samples: Path) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("doors"), home) as made:
        with open_engine(made.settings) as registrar:
            registrar.enroll(str(samples / "obama.jpg"), OBAMA)
            registrar.enroll(str(samples / "biden.jpg"), BIDEN)
        yield made


@pytest.fixture(scope="module")
def service(site: Site) -> Service:
    return site.serve()


@pytest.fixture(scope="module")
def bare(site: Site) -> Iterator[Engine]:
    with open_engine(site.settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def clip(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama for a second and a half, Biden as long."""
    pictures = [photo(samples / name, 480)[:, :320] for name in ("obama2.jpg", "biden.jpg")]
    return film(tmp_path_factory.mktemp("clip") / "clip.mp4", [pictures[0]] * 15 + [pictures[1]] * 15)


@pytest.fixture(params=["one person", "six people", "a video"])
def source(request: pytest.FixtureRequest, samples: Path, clip: Path) -> Path:
    if request.param == "six people":
        shared: Path = request.getfixturevalue("shared_data")
        return shared / "photos" / "group_six_faces.jpg"
    return clip if request.param == "a video" else samples / "obama2.jpg"


def test_every_door_gives_the_same_answer(site: Site, service: Service, bare: Engine, source: Path) -> None:
    """The same names, boxes within a pixel, vectors at a cosine of 0.999 or more."""
    wanted = bare.recognize(str(source), sampling=Sampling(seconds=1.0))
    assert wanted.sightings
    command = json.loads(site.visage("recognize", "--json", "--vectors", "--every", "1s", source))
    at_once = service.send("/v1/recognize?vectors=true&every=1s", source)
    later = service.send("/v1/recognize?vectors=true&every=1s", source, Prefer="respond-async")
    assert (at_once.status, later.status) == (200, 202)
    job = service.job(later.headers["Location"])
    for told in (command["answers"][0], at_once.json["answer"], job["answer"]):
        assert told["names"] == wanted.names
        assert told["frames"] == wanted.frames
        assert [(face["frame"], face["name"]) for face in told["faces"]] == [
            (seen.frame, seen.name) for seen in wanted.sightings
        ]
        for seen, face in zip(wanted.sightings, told["faces"], strict=True):
            assert np.abs(np.array(seen.face.box) - face["box"]).max() <= 1
            assert np.abs(seen.face.landmarks - face["landmarks"]).max() <= 1
            assert seen.vector is not None
            assert float(seen.vector @ np.array(face["vector"])) >= 0.999
            assert _matched(face) == (seen.match.name if seen.match else None)


def watched(site: Site, clip: Path, folder: Path) -> tuple[Any, str]:
    """Result and text that `visage watch` makes."""
    (folder / "in").mkdir()
    shutil.copy(clip, folder / "in" / "clip.mp4")
    site.visage("watch", folder / "in", "--stage", folder / "stage", "--output", folder / "out", "--once")
    return json.loads((folder / "out" / "clip.json").read_bytes()), (folder / "out" / "clip.txt").read_text()


def put_into_a_bucket(cloud: Cloud, clip: Path) -> tuple[Any, str]:
    """Result and text that the functions make."""
    cloud.buckets.put("clip.mp4", clip)
    cloud.settle()
    assert not cloud.dead
    return cloud.buckets.result("clip"), cloud.buckets.text("clip")


def test_a_video_gives_the_same_people_without_a_service(site: Site, bare: Engine, clip: Path, tmp_path: Path) -> None:
    """The same frames, names, and boxes within two pixels: the frames were JPEGs in between."""
    pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it: pip install -e '.[test]'")
    wanted = bare.recognize(str(clip), sampling=Sampling(seconds=1.0))
    assert wanted.names == [OBAMA, BIDEN]
    with cloud_in(tmp_path, bare.gallery()) as cloud:
        doors = [watched(site, clip, tmp_path), put_into_a_bucket(cloud, clip)]
    for result, text in doors:
        assert text == f"{OBAMA}\n{BIDEN}\n"
        told = result["answer"]
        assert (result["status"], told["names"], told["frames"]) == ("done", wanted.names, wanted.frames)
        assert [(face["frame"], face["time"], face["name"]) for face in told["faces"]] == [
            (seen.frame, pytest.approx(seen.time, abs=0.001), seen.name) for seen in wanted.sightings
        ]
        for seen, face in zip(wanted.sightings, told["faces"], strict=True):
            assert np.abs(np.array(seen.face.box) - face["box"]).max() <= 2
            assert "vector" not in face
            assert _matched(face) == (seen.match.name if seen.match else None)


def _matched(face: dict[str, Any]) -> str | None:
    return face["match"]["name"] if face["match"] else None


@pytest.mark.parametrize("name", ["biden.jpg", "obama3.jpg"])
def test_the_classic_form_gives_the_name_that_the_classic_program_does(
    site: Site, service: Service, samples: Path, name: str
) -> None:
    program = subprocess.run(
        [sys.executable, "-m", "visage.apps.face_recognition", str(samples / name)],
        capture_output=True, text=True, check=True, timeout=LONG, env=site.environment, cwd=ROOT,
    )  # fmt: skip
    assert service.name(samples / name) == program.stdout.strip() == (BIDEN if "biden" in name else OBAMA)
