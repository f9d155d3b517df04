"""The template with what a stranger would give it."""

from pathlib import Path
from typing import Any

import pytest

from tests.templates import Stack, read

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "serverless" / "template.yaml"
GIVEN: dict[str, Any] = {"GalleryBucket": "somebody-gallery"}


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return read(TEMPLATE)


@pytest.fixture(scope="session")
def stack(template: dict[str, Any]) -> Stack:
    """Everything that has a default left at it."""
    return Stack(template, GIVEN)


@pytest.fixture(scope="session")
def full_stack(template: dict[str, Any]) -> Stack:
    """Everything optional asked for, under another prefix."""
    optional = {
        "Prefix": "shop-faces",
        "GalleryKey": "people/gallery.sqlite",
        "Runtime": "torch",
        "Architecture": "arm64",
        "Every": "keys",
        "ChunkFrames": 20,
        "SegmentSeconds": 30,
        "SplittingConcurrency": 0,
        "RecognitionConcurrency": 0,
        "KeepDays": 3,
        "LogDays": 1,
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "SplittingName": "shop-splitting",
        "RecognitionName": "shop-recognition",
    }
    return Stack(template, GIVEN | optional)
