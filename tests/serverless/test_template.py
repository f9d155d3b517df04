"""The template, resource by resource."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serverless.conftest import ROOT
from tests.templates import Stack, as_list
from visage.core.errors import UsageError
from visage.core.every import parse_every
from visage.settings import Settings, load_settings

SQS = "arn:aws:sqs:eu-west-1:123456789012"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function"
BUCKETS = {"InputBucket": "visage-input", "StageBucket": "visage-stage-1", "OutputBucket": "visage-output"}
FUNCTIONS = {"SplittingFunction": "video-splitting", "RecognitionFunction": "face-recognition"}


def settings_of(function: dict[str, Any]) -> Settings:
    """As the function reads them: Lambda makes texts of numbers."""
    variables = function["Environment"]["Variables"]
    known = {f"VISAGE_{field.upper()}" for field in Settings.__dataclass_fields__}
    assert variables.keys() <= known
    return load_settings({name: str(value) for name, value in variables.items()})


def test_buckets_are_private_encrypted_and_forget(stack: Stack, full_stack: Stack) -> None:
    buckets = stack.of_type("AWS::S3::Bucket")
    assert {name: bucket["BucketName"] for name, bucket in buckets.items()} == BUCKETS
    assert full_stack["StageBucket"]["BucketName"] == "shop-faces-stage-1"
    for name, bucket in buckets.items():
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert "VersioningConfiguration" not in bucket
        for made, days in ((bucket, 7), (full_stack[name], 3)):
            expiring, breaking_off = made["LifecycleConfiguration"]["Rules"]
            assert expiring == {"Id": "expire", "Status": "Enabled", "ExpirationInDays": days}
            assert breaking_off["Status"] == "Enabled"
            assert breaking_off["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_buckets_and_queues_speak_tls_only(stack: Stack) -> None:
    closed: set[str] = set()
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for policy in stack.of_type(kind).values():
            (statement,) = policy["PolicyDocument"]["Statement"]
            assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
            assert statement["Action"] in {"s3:*", "sqs:*"}
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            closed.update(as_list(statement["Resource"]))
    buckets = [f"arn:aws:s3:::{name}" for name in BUCKETS.values()]
    queues = {f"{SQS}:visage-splitting-dead-queue", f"{SQS}:visage-recognition-dead-queue"}
    assert closed == {*buckets, *(f"{bucket}/*" for bucket in buckets), *queues}


def test_what_the_stack_made_goes_with_it(template: dict[str, Any]) -> None:
    """Buckets too, but S3 deletes none that holds anything, so no face is lost or left behind unnoticed."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}:
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete"), name


def test_functions_are_images_with_names_and_bounds(stack: Stack, full_stack: Stack) -> None:
    functions = stack.of_type("AWS::Serverless::Function")
    assert {name: function["FunctionName"] for name, function in functions.items()} == FUNCTIONS
    for function in functions.values():
        assert function["PackageType"] == "Image"
        assert function["Architectures"] == ["x86_64"]
        assert function["EphemeralStorage"] == {"Size": 512}
        # AWS gives a core for every 1,769 MB; more threads than cores would wait for each other.
        threads = function["Environment"]["Variables"]["VISAGE_THREADS"]
        assert threads == round(function["MemorySize"] / 1769)
        assert not function.keys() & {"Events", "FunctionUrlConfig", "Policies", "Tracing"}
    splitting, recognition = functions["SplittingFunction"], functions["RecognitionFunction"]
    assert (splitting["Timeout"], splitting["ReservedConcurrentExecutions"]) == (900, 5)
    assert (recognition["Timeout"], recognition["ReservedConcurrentExecutions"]) == (300, 20)
    assert (splitting["RecursiveLoop"], recognition["RecursiveLoop"]) == ("Allow", "Terminate")
    for function in full_stack.of_type("AWS::Serverless::Function").values():
        assert function["Architectures"] == ["arm64"]
        # A 0 that reached Lambda would keep it from ever running.
        assert "ReservedConcurrentExecutions" not in function
    assert full_stack["RecognitionFunction"]["FunctionName"] == "shop-recognition"


def test_an_event_that_is_given_up_is_kept_and_the_other_function_told(stack: Stack) -> None:
    for name, other, queue in (
        ("SplittingFunction", "face-recognition", "visage-splitting-dead-queue"),
        ("RecognitionFunction", "video-splitting", "visage-recognition-dead-queue"),
    ):
        function = stack[name]
        assert function["EventInvokeConfig"] == {
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 21600,
            "DestinationConfig": {"OnFailure": {"Type": "Lambda", "Destination": f"{LAMBDA}:{other}"}},
        }
        assert function["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": f"{SQS}:{queue}"}
    queues = stack.of_type("AWS::SQS::Queue")
    assert queues.keys() == {"SplittingDeadQueue", "RecognitionDeadQueue"}
    for kept in queues.values():
        assert kept["SqsManagedSseEnabled"] is True
        assert kept["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_the_functions_get_these_settings(stack: Stack, full_stack: Stack) -> None:
    splitting, recognition = (settings_of(stack[name]) for name in FUNCTIONS)
    for settings in (splitting, recognition):
        assert settings.inputs_url == "s3://visage-input"
        assert settings.stage_url == "s3://visage-stage-1"
        assert settings.outputs_url == "s3://visage-output"
        assert settings.threads == 2
    assert (splitting.every, splitting.chunk, splitting.segment) == ("1s", 10, 0)
    assert recognition.gallery_url == "s3://somebody-gallery/gallery.sqlite"
    assert (recognition.runtime, recognition.detector) == ("openvino", "auto")
    splitting, recognition = (settings_of(full_stack[name]) for name in FUNCTIONS)
    assert (splitting.every, splitting.chunk, splitting.segment) == ("keys", 20, 30)
    assert splitting.stage_url == recognition.stage_url == "s3://shop-faces-stage-1"
    assert recognition.gallery_url == "s3://somebody-gallery/people/gallery.sqlite"
    assert recognition.runtime == "torch"


def test_the_gallery_is_the_recognizing_functions_alone(stack: Stack) -> None:
    assert "VISAGE_GALLERY" not in stack["SplittingFunction"]["Environment"]["Variables"]


def test_what_is_not_set_stays_at_the_settings_defaults(template: dict[str, Any]) -> None:
    defaults = load_settings({})
    given = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
    assert (given["Every"], given["ChunkFrames"]) == (defaults.every, defaults.chunk)
    assert (given["SegmentSeconds"], given["KeepDays"]) == (defaults.segment, defaults.keep_days)


@given(
    st.one_of(
        st.from_regex(r"[0-9.]{0,4}[sfx]?", fullmatch=True),
        st.sampled_from(["1s", "0s", "0.0s", "0.5s", "10f", "00f", "12x", "first", "keys", "all", "1S", "-1s", ""]),
        st.text(max_size=6),
    )
)
def test_the_stack_takes_exactly_the_samplings_that_the_function_will(template: dict[str, Any], text: str) -> None:
    taken = re.fullmatch(template["Parameters"]["Every"]["AllowedPattern"], text, re.ASCII) is not None
    try:
        parse_every(text)
    except UsageError:
        assert not taken
    else:
        assert taken


def test_only_the_buckets_of_this_account_may_call(stack: Stack) -> None:
    allowed = set()
    for permission in stack.of_type("AWS::Lambda::Permission").values():
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"] == "s3.amazonaws.com"
        assert permission["SourceAccount"] == "123456789012"
        allowed.add((permission["SourceArn"], permission["FunctionName"]))
    assert allowed == {
        ("arn:aws:s3:::visage-input", "video-splitting"),
        ("arn:aws:s3:::visage-stage-1", "video-splitting"),
        ("arn:aws:s3:::visage-stage-1", "face-recognition"),
    }


def test_a_bucket_is_made_once_it_may_call(template: dict[str, Any], stack: Stack) -> None:
    """S3 tries it when the bucket is made, and refuses the bucket otherwise."""
    permissions = stack.of_type("AWS::Lambda::Permission")
    for name, bucket in BUCKETS.items():
        notifications = stack[name].get("NotificationConfiguration", {}).get("LambdaConfigurations", [])
        wanted = {one["Function"].rpartition(":")[2] for one in notifications}
        waited_for = as_list(template["Resources"][name].get("DependsOn", []))
        held = [permissions[one] for one in waited_for]
        assert {one["FunctionName"] for one in held} == wanted
        assert all(one["SourceArn"] == f"arn:aws:s3:::{bucket}" for one in held)


def test_nothing_waits_for_itself(template: dict[str, Any]) -> None:
    """bucket -> permission -> function -> role -> bucket would be a circle, and the stack could not be made."""
    resources = template["Resources"]

    def named(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(named, value))
        if not isinstance(value, dict):
            return set()
        found: set[str] = set()
        for key, inner in value.items():
            if key == "Ref":
                found.add(inner)
            elif key == "Fn::GetAtt":
                found.add(inner[0])
            elif key == "Fn::Sub":
                found |= {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", inner)}
            else:
                found |= named(inner)
        return found & set(resources)

    # SAM makes a resource of its own of what names the other function.
    waits = {
        name: named({key: value for key, value in resource["Properties"].items() if key != "EventInvokeConfig"})
        | set(as_list(resource.get("DependsOn", [])))
        for name, resource in resources.items()
    }
    assert waits["InputBucket"] == {"InputMaySplit", "SplittingFunction"}
    while ready := {name for name, others in waits.items() if not others}:
        waits = {name: others - ready for name, others in waits.items() if name not in ready}
    assert waits == {}


def test_logs_are_json_and_end_some_day(stack: Stack, full_stack: Stack) -> None:
    for made, days in ((stack, 14), (full_stack, 1)):
        groups = made.of_type("AWS::Logs::LogGroup").values()
        assert {group["RetentionInDays"] for group in groups} == {days}
        wanted = {f"/aws/lambda/{made[name]['FunctionName']}" for name in FUNCTIONS}
        assert {group["LogGroupName"] for group in groups} == wanted
        for name in FUNCTIONS:
            logging = made[name]["LoggingConfig"]
            assert logging["LogGroup"] == f"/aws/lambda/{made[name]['FunctionName']}"
            # At WARN the report of each invocation, with its time and memory, would be left out.
            assert (logging["LogFormat"], logging["ApplicationLogLevel"], logging["SystemLogLevel"]) == (
                "JSON", "INFO", "INFO",
            )  # fmt: skip


def test_alarms_report_where_they_are_told_to(stack: Stack, full_stack: Stack) -> None:
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert alarms.keys() == {
        "DeadLettersAlarm", "LostLettersAlarm", "SplittingErrorsAlarm", "RecognitionErrorsAlarm", "SplittingLateAlarm",
        "RecognitionLateAlarm",
    }  # fmt: skip
    assert not any("AlarmActions" in alarm for alarm in alarms.values())
    told = full_stack.of_type("AWS::CloudWatch::Alarm")
    assert {tuple(alarm["AlarmActions"]) for alarm in told.values()} == {("arn:aws:sns:eu-west-1:123456789012:alarms",)}
    assert {alarm["TreatMissingData"] for alarm in alarms.values()} == {"notBreaching"}


def test_alarms_look_at_what_they_are_named_for(stack: Stack) -> None:
    def looked_at(name: str) -> set[tuple[str, str, str]]:
        alarm = stack[name]
        metrics = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]
        return {(one["Namespace"], one["MetricName"], dim["Value"]) for one in metrics for dim in one["Dimensions"]}

    assert looked_at("DeadLettersAlarm") == {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"visage-{what}-dead-queue")
        for what in ("splitting", "recognition")
    }
    assert looked_at("LostLettersAlarm") == {
        ("AWS/Lambda", metric, function)
        for metric in ("DeadLetterErrors", "DestinationDeliveryFailures")
        for function in FUNCTIONS.values()
    }
    for name, function in (("Splitting", "video-splitting"), ("Recognition", "face-recognition")):
        assert looked_at(f"{name}ErrorsAlarm") == {("AWS/Lambda", "Errors", function)}
        assert looked_at(f"{name}LateAlarm") == {("AWS/Lambda", "AsyncEventAge", function)}
        # Milliseconds; long before the event is given up.
        assert stack[f"{name}LateAlarm"]["Threshold"] / 1000 < 21600 / 2
    for name in ("DeadLettersAlarm", "LostLettersAlarm"):
        whole, *parts = stack[name]["Metrics"]
        assert set(re.findall(r"FILL\((\w+), 0\)", whole["Expression"])) == {part["Id"] for part in parts}
        assert not any(part["ReturnData"] for part in parts)


def test_no_parameter_is_a_secret(template: dict[str, Any]) -> None:
    words = ("password", "token", "secret")
    assert not [name for name in template["Parameters"] if any(word in name.lower() for word in words)]
    assert not any(parameter.get("NoEcho") for parameter in template["Parameters"].values())


def test_every_parameter_is_shown_in_its_group(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])


def test_outputs_name_what_one_asks_for(stack: Stack, template: dict[str, Any]) -> None:
    values = {name: stack.resolve(output["Value"]) for name, output in template["Outputs"].items()}
    assert values == {
        "InputBucketName": "visage-input",
        "StageBucketName": "visage-stage-1",
        "OutputBucketName": "visage-output",
        "SplittingFunctionName": "video-splitting",
        "RecognitionFunctionName": "face-recognition",
        "SplittingDeadQueueUrl": "SplittingDeadQueue",
        "RecognitionDeadQueueUrl": "RecognitionDeadQueue",
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_images_are_built_of_this_repository(template: dict[str, Any], name: str) -> None:
    metadata = template["Resources"][name]["Metadata"]
    context = (ROOT / "serverless" / metadata["DockerContext"]).resolve()
    assert context == ROOT
    recipe = (context / metadata["Dockerfile"]).read_text(encoding="utf-8")
    handler = {"SplittingFunction": "lambda_video_splitting", "RecognitionFunction": "lambda_face_recognition"}[name]
    assert f'CMD ["visage.apps.{handler}.handler"]' in recipe
    assert metadata.get("DockerBuildArgs", {}).keys() == set(re.findall(r"^ARG (RUNTIME)\b", recipe, re.MULTILINE))
