"""The template with what a stranger would give it."""

from pathlib import Path
from typing import Any

from tests.templates import fixtures

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "serverless" / "template.yaml"
GIVEN: dict[str, Any] = {"GalleryBucket": "somebody-gallery"}
# Everything optional asked for, under another prefix.
OPTIONAL: dict[str, Any] = {
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

template, stack, full_stack = fixtures(TEMPLATE, GIVEN, OPTIONAL)
