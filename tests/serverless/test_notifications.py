"""Which objects call which function: the template's filters, and what the functions make of a key, are the same."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.templates import Stack, rights_of
from visage.core.serverless.results import json_key, text_key
from visage.core.serverless.staging import (
    answer_key,
    folder_of,
    frame_key,
    manifest_key,
    plan_key,
    rest_key,
    segment_key,
)
from visage.core.serverless.uploads import CHUNK, PICTURE_SUFFIXES, PICTURES, REST, Ask, ask_of_stage, upload_of

SPLITTING, RECOGNITION = "video-splitting", "face-recognition"
DOES = {Ask.CHUNK: RECOGNITION, Ask.PICTURE: RECOGNITION, Ask.REST: SPLITTING, None: None}


@dataclass(frozen=True)
class Rule:
    """A notification: whoever passes the filter calls the function."""

    prefix: str
    suffix: str
    function: str

    def takes(self, key: str) -> bool:
        return key.startswith(self.prefix) and key.endswith(self.suffix)

    def overlaps(self, other: "Rule") -> bool:
        """As S3 has it: two beginnings, and two ends, overlap if one of them begins, or ends, with the other."""
        return (
            self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        ) and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))  # fmt: skip


def rules_of(bucket: dict[str, Any]) -> list[Rule]:
    notifications = bucket.get("NotificationConfiguration", {})
    assert notifications.keys() <= {"LambdaConfigurations"}
    found = []
    for one in notifications.get("LambdaConfigurations", []):
        assert one["Event"] == "s3:ObjectCreated:*"
        parts = {rule["Name"]: rule["Value"] for rule in one.get("Filter", {"S3Key": {"Rules": []}})["S3Key"]["Rules"]}
        assert parts.keys() <= {"prefix", "suffix"}
        found.append(Rule(parts.get("prefix", ""), parts.get("suffix", ""), one["Function"].rpartition(":")[2]))
    return found


@pytest.fixture(scope="module")
def stage(stack: Stack) -> list[Rule]:
    return rules_of(stack["StageBucket"])


def called(rules: list[Rule], key: str) -> str | None:
    """The function that an object under this key calls. S3 allows no more than one."""
    found = [rule.function for rule in rules if rule.takes(key)]
    assert len(found) <= 1
    return found[0] if found else None


pieces = st.sampled_from(
    [PICTURES, "_", "/", ".", "a", "clip.mp4", CHUNK, REST, *PICTURE_SUFFIXES, ".Jpg", ".json", "frame-000001.jpg", "é"]
)
keys = st.lists(st.one_of(pieces, st.text(max_size=3)), min_size=1, max_size=5).map("".join)
numbers = st.integers(1, 2_000_000)


def test_the_rules_are_those_of_the_functions(stage: list[Rule]) -> None:
    assert set(stage) == {
        Rule("", CHUNK, RECOGNITION),
        Rule("", REST, SPLITTING),
        *(Rule(PICTURES, suffix, RECOGNITION) for suffix in PICTURE_SUFFIXES),
    }


def test_s3_takes_them(stage: list[Rule]) -> None:
    """It refuses a bucket with two that one key might pass, with more than a hundred, or with long ones."""
    overlapping = [(one, other) for i, one in enumerate(stage) for other in stage[:i] if one.overlaps(other)]
    assert overlapping == []
    assert len(stage) <= 100
    assert all(len(part.encode()) <= 1024 for rule in stage for part in (rule.prefix, rule.suffix))
    assert Rule("", ".jpg", "f").overlaps(Rule("a/", "1.jpg", "f"))
    assert not Rule("a/", ".jpg", "f").overlaps(Rule("b/", ".jpg", "f"))


@given(keys)
@example("pictures/me.JPEG")
@example("pictures/me.Jpeg")
@example("pictures/a.chunk.json")
@example("a/pictures/me.jpg")
@example("_pictures/me.jpg")
def test_whatever_the_key_s3_calls_who_would_do_something(stage: list[Rule], key: str) -> None:
    assert called(stage, key) == DOES[ask_of_stage(key)]


@given(keys, numbers)
@example("pictures/clip.mp4", 1)
@example("__pictures/clip.mp4", 1)
@example("pictures/" + "long/" * 100 + "clip.mp4", 1)
@example("a.chunk.json", 1)
@example("a.rest.json", 1_000_000)
def test_of_all_that_the_functions_write_manifests_and_notes_alone_call_anybody(
    stage: list[Rule], key: str, number: int
) -> None:
    folder = folder_of(upload_of(key, '"d41d8cd98f00b204e9800998ecf8427e"', "0055AED6DCD90281E5", 9))
    for name in (frame_key, segment_key, answer_key):
        assert called(stage, name(folder, number)) is None
    assert called(stage, plan_key(folder)) is None
    assert called(stage, manifest_key(folder, number)) == RECOGNITION
    assert called(stage, rest_key(folder, number)) == SPLITTING


def test_every_upload_calls_the_splitting_function_and_no_result_calls_anybody(stack: Stack) -> None:
    assert rules_of(stack["InputBucket"]) == [Rule("", "", SPLITTING)]
    assert rules_of(stack["OutputBucket"]) == []
    for key in (text_key("clip.mp4"), json_key("clip.mp4"), text_key("a.chunk.mp4"), json_key("a.chunk.mp4")):
        assert called(rules_of(stack["OutputBucket"]), key) is None


def test_no_way_leads_from_an_output_to_an_input(stack: Stack) -> None:
    """bucket -> the functions it calls -> the buckets that they may write to."""
    roles = {SPLITTING: "SplittingRole", RECOGNITION: "RecognitionRole"}
    buckets = {bucket["BucketName"]: bucket for bucket in stack.of_type("AWS::S3::Bucket").values()}

    def written(bucket: str) -> set[str]:
        functions = {rule.function for rule in rules_of(buckets[bucket])}
        policies = [policy for function in functions for policy in stack[roles[function]]["Policies"]]
        allowed = rights_of(one for policy in policies for one in policy["PolicyDocument"]["Statement"])
        into = [resource for resource, actions in allowed.items() if "s3:PutObject" in actions]
        return {resource.removeprefix("arn:aws:s3:::").partition("/")[0] for resource in into}

    ways = {bucket: written(bucket) for bucket in buckets}
    assert ways == {
        "visage-input": {"visage-stage-1", "visage-output"},
        "visage-stage-1": {"visage-stage-1", "visage-output"},
        "visage-output": set(),
    }
