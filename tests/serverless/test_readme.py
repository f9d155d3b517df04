"""serverless/README.md is true: what it names is there."""

import re
import shlex
from typing import Any

from tests.readmes import check_links, check_visage, typed_in
from tests.serverless.conftest import GIVEN, ROOT
from tests.templates import Stack
from visage.core.serverless.uploads import PICTURE_SUFFIXES
from visage.settings import Settings

FOLDER = ROOT / "serverless"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_command_exists_with_its_options() -> None:
    typed = [line.removeprefix("visage ") for line in typed_in(README) if line.startswith("visage ")]
    typed += re.findall(r"`visage ([a-z][^`]*)`", README)
    assert len(typed) >= 4
    for line in typed:
        check_visage(shlex.split(line, comments=True))


def test_every_parameter_that_is_named_exists(template: dict[str, Any]) -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)(?:=[^`]*)?`", README))
    named |= set(re.findall(r"\b([A-Z][A-Za-z]+)=", README)) - {"QUEUE"}
    assert named - {"RecursiveLoop"} <= template["Parameters"].keys()
    assert {*GIVEN, "Prefix", "Every", "KeepDays", "AlarmTopicArn", "Runtime", "Architecture"} <= named


def test_the_figures_are_the_templates(stack: Stack) -> None:
    splitting, recognition = stack["SplittingFunction"], stack["RecognitionFunction"]
    rows = {cells[0]: cells[1:3] for line in README.splitlines() if len(cells := line.strip("| ").split(" | ")) == 4}
    for row, words in (
        ("memory", [f"{one['MemorySize']:,} MB" for one in (splitting, recognition)]),
        ("time limit", [f"{one['Timeout']} s" for one in (splitting, recognition)]),
        ("`/tmp`", [f"{one['EphemeralStorage']['Size']} MB" for one in (splitting, recognition)]),
        ("at a time", [str(one["ReservedConcurrentExecutions"]) for one in (splitting, recognition)]),
    ):
        assert rows[row] == words
    assert len(stack.of_type("AWS::CloudWatch::Alarm")) == 6


def test_names_in_commands_are_those_of_a_stack_with_that_prefix(template: dict[str, Any]) -> None:
    made = Stack(template, {"Prefix": "acme-faces", "GalleryBucket": "acme-faces-gallery"})
    buckets = {bucket["BucketName"] for bucket in made.of_type("AWS::S3::Bucket").values()} | {"acme-faces-gallery"}
    used = set(re.findall(r"s3://([a-z0-9-]+)", README)) - {"acme-faces-"}
    assert used == buckets
    queues = {queue["QueueName"] for queue in made.of_type("AWS::SQS::Queue").values()}
    assert set(re.findall(r"acme-faces-[a-z]+-dead-queue", README)) == queues
    assert "/aws/lambda/face-recognition" in README


def test_pictures_are_those_that_the_stage_takes() -> None:
    listed = re.search(r"under `pictures/`\n\((.*?), all in small", README, re.DOTALL)
    assert listed
    assert {suffix.lower() for suffix in PICTURE_SUFFIXES} == set(re.findall(r"`(\.[a-z]+)`", listed[1]))


def test_every_variable_is_a_setting() -> None:
    known = {f"VISAGE_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"\bVISAGE_[A-Z_]+\b", README)) <= known


def test_every_link_leads_somewhere() -> None:
    check_links(FOLDER, README)
    assert "](../architecture/serverless.png)" in README


def test_the_picture_has_its_source_is_small_and_tells_the_template(stack: Stack) -> None:
    for name in ("serverless.png", "serverless.svg"):
        assert (ROOT / "architecture" / name).stat().st_size <= 300_000
    drawn = (ROOT / "architecture" / "serverless.svg").read_text(encoding="utf-8")
    names = {"PREFIX-input", "PREFIX-stage-1", "PREFIX-output", "video-splitting", "face-recognition"}
    assert {name for name in names if f">{name}<" in drawn} == names
    for name in ("SplittingFunction", "RecognitionFunction"):
        assert f">up to {stack[name]['ReservedConcurrentExecutions']} at a time<" in drawn
        assert f">{stack[name]['Timeout'] // 60} minutes;<" in drawn
