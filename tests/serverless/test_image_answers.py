"""The functions' images, as folders, start and answer: on a read-only disk, with no package besides their own."""

import importlib.metadata
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import boto3
import pytest
from av.video.frame import VideoFrame

from tests.aws.moto_server import aws_server, environment
from tests.serverless.images import Dockerfile, image, python_alone, run, variables
from tests.serverless.runtime import Function, Runtime
from visage import Engine, load_settings
from visage.media.photos import decode_jpeg
from visage.wiring import open_publisher

# A longer limit than others have: networks are converted first, twice.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

RUNTIMES = (
    "openvino",
    pytest.param(
        "torch",
        marks=pytest.mark.skipif(
            not importlib.metadata.version("torch").endswith("+cpu"),
            reason="no index with CPU builds of PyTorch is set up",
        ),
    ),
)
STORES = {"VISAGE_INPUTS": "shop-input", "VISAGE_STAGE": "shop-stage-1", "VISAGE_OUTPUTS": "shop-output"}
PEOPLE = "s3://shop-people/gallery.sqlite"

ANSWER = """
import json, sys
from visage import load_settings, open_engine
first, second, gallery = sys.argv[1:]
with open_engine(load_settings(gallery=gallery)) as engine:
    engine.gallery(create=True)
    engine.enroll(first, "Obama")
    answer = engine.recognize(second)
names = [sighting.name for sighting in answer.sightings]
facts = {"names": names, "runtime": engine.runtime(), "detector": engine.detector.name}
print(json.dumps(facts | {"loaded": [name for name, module in sys.modules.items() if module and "." not in name]}))
"""
LOADED = """
import json, sys
import visage.apps.functions, visage.media.cutter
print(json.dumps([name for name, module in sys.modules.items() if module and "." not in name]))
"""


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recognition(runtime: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image("face_recognition", tmp_path_factory.getbasetemp(), runtime)


@pytest.fixture
def splitting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image("video_splitting", tmp_path_factory.getbasetemp())


@pytest.fixture
def buckets(engine: Engine, samples: Path) -> Iterator[dict[str, str]]:
    """S3, with somebody in the gallery; the variables by which a function finds it all."""
    with aws_server() as address, closing(boto3.client("s3")) as client:
        for name in (*STORES.values(), "shop-people"):
            client.create_bucket(Bucket=name)
        engine.enroll(str(samples / "obama.jpg"), "Barack Obama")
        assert open_publisher(PEOPLE, engine.gallery()).step()
        stores = {name: f"s3://{bucket}" for name, bucket in STORES.items()}
        yield {**environment(address), **stores, "VISAGE_GALLERY": PEOPLE, "VISAGE_CHUNK": "2"}


def test_a_photo_is_recognized_by_one_runtime_alone(
    runtime: str, recognition: Path, samples: Path, tmp_path: Path
) -> None:
    before = {path: path.lstat().st_mtime_ns for path in recognition.rglob("*")}
    gallery = f"sqlite:///{tmp_path / 'gallery.sqlite'}"
    answer = json.loads(run(recognition, ANSWER, str(samples / "obama.jpg"), str(samples / "obama2.jpg"), gallery))
    assert answer["names"] == ["Obama"]
    assert answer["runtime"].startswith(f"{runtime} CPU")
    assert answer["detector"] == detector(recognition)
    # Neither the other runtime, nor what reads videos, nor the command line.
    assert {"torch", "openvino", "av", "click", "tqdm"} & set(answer["loaded"]) == {runtime}
    # Nothing was written there.
    assert {path: path.lstat().st_mtime_ns for path in recognition.rglob("*")} == before


def test_only_the_weights_in_use_are_in_it(runtime: str, recognition: Path) -> None:
    detectors = {"pnet.lz4", "rnet.lz4", "onet.lz4"} if detector(recognition) == "mtcnn" else set()
    wanted = {"dlib_face_recognition_resnet_model_v1.dat"} | detectors if runtime == "torch" else set()
    assert {path.name for path in recognition.rglob("*") if path.suffix in {".dat", ".lz4"}} == wanted


def test_who_splits_loads_no_network(splitting: Path) -> None:
    loaded = json.loads(run(splitting, LOADED))
    assert "av" in loaded
    assert {"torch", "openvino", "click", "tqdm"}.isdisjoint(loaded)


def test_what_the_images_try_of_themselves_succeeds(recognition: Path, splitting: Path) -> None:
    assert "agrees with its card" in run(recognition, Dockerfile.of("face_recognition").trying)
    run(splitting, Dockerfile.of("video_splitting").trying)


def test_from_a_video_to_names(
    recognition: Path, splitting: Path, buckets: dict[str, str], samples: Path, tmp_path: Path
) -> None:
    """Both functions by awslambdaric, on what stands in for S3."""
    clip = make_video(tmp_path / "clip.mp4", samples / "obama2.jpg")
    with closing(boto3.client("s3")) as client, started("video_splitting", splitting, buckets) as splits:
        client.upload_file(str(clip), "shop-input", "clip.mp4")
        assert splits.invoke(created(client, "shop-input", "clip.mp4")) == {"tasks": 1}, splits.log
        staged = [one["Key"] for one in client.list_objects_v2(Bucket="shop-stage-1")["Contents"]]
        manifests = [key for key in staged if key.endswith(".chunk.json")]
        assert len(manifests) == 2
        with started("face_recognition", recognition, buckets) as recognizes:
            for key in manifests:
                assert recognizes.invoke(created(client, "shop-stage-1", key)) == {"tasks": 1}, recognizes.log
        names = client.get_object(Bucket="shop-output", Key="clip.txt")["Body"].read().decode()
        result = json.loads(client.get_object(Bucket="shop-output", Key="clip.json")["Body"].read())
    assert names == "Barack Obama\n"
    assert result["status"] == "done"


def detector(folder: Path) -> str:
    return load_settings({"VISAGE_HOME": str(folder / "home")}).detector


def started(function: str, folder: Path, settings: dict[str, str]) -> Runtime:
    (handler,) = json.loads(Dockerfile.of(function).all("CMD")[0])
    return Runtime(Function(handler, folder, {**settings, **variables(folder)}, function, python=python_alone()))


def created(client: Any, bucket: str, key: str) -> dict[str, Any]:
    """As S3 tells that an object was put."""
    head = client.head_object(Bucket=bucket, Key=key)
    facts = {
        "key": key,
        "size": head["ContentLength"],
        "eTag": head["ETag"].strip('"'),
        "sequencer": "0055AED6DCD90281E5",
    }
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": facts},
            }
        ]
    }


def make_video(path: Path, photo: Path) -> Path:
    """Three seconds of a photo."""
    pixels = decode_jpeg(photo.read_bytes())
    height, width = (side - side % 2 for side in pixels.shape[:2])
    frame = VideoFrame.from_ndarray(pixels[:height, :width].copy())
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, width=width, height=height, pix_fmt="yuv420p")
        for i in range(30):
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
