"""The recognition function under AWS's own emulator, from the start of its process to the first frame's answer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doors.bad_files import film, photo
from tests.serverless.cloud import OBAMA, RECOGNITION, SPLITTING, cloud_in, people_in
from tests.serverless.emulator import Emulator

pytest.importorskip("awslambdaric", reason="awslambdaric is not installed; install it with: pip install -e '.[test]'")


def test_from_a_cold_start_to_the_first_answer(
    home: Path, samples: Path, tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    clip = film(tmp_path / "clip.mp4", [photo(samples / "obama2.jpg", 720)], rate=1)
    with people_in(tmp_path, samples) as gallery, cloud_in(tmp_path, gallery) as cloud:
        cloud.buckets.put("clip.mp4", clip)
        ((_, event),) = cloud.buckets.take()
        cloud.deliver(SPLITTING, event)
        ((name, chunk),) = cloud.buckets.take()
        assert name == RECOGNITION
        with Emulator(cloud.function(RECOGNITION)) as emulator:
            assert emulator.invoke(chunk) == {"tasks": 1}, emulator.log
            assert emulator.first
            assert emulator.invoke(chunk) == {"tasks": 1}  # a second time nothing is left to do
        assert cloud.buckets.text("clip") == f"{OBAMA}\n"
    record_testsuite_property("seconds from a cold start to the first answer", str(round(emulator.first, 3)))
    assert emulator.first < 60  # the figure itself is measured elsewhere; this machine may be busy
