"""What each function may do: exactly this, asserted of the template and tried with the stores themselves."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from tests.aws.moto_server import aws_server
from tests.templates import Stack, rights_of
from visage.core.errors import StorageError
from visage.core.ports.objects import Objects
from visage.wiring import open_objects

ACCOUNT = "eu-west-1:123456789012"
INPUT, STAGE, OUTPUT = "visage-input", "visage-stage-1", "visage-output"
GALLERY = "somebody-gallery"
READ_WRITE = {"s3:GetObject", "s3:PutObject"}
LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
SPLITTING = {
    f"arn:aws:s3:::{INPUT}": {"s3:ListBucket"},
    f"arn:aws:s3:::{STAGE}": {"s3:ListBucket"},
    f"arn:aws:s3:::{OUTPUT}": {"s3:ListBucket"},
    f"arn:aws:s3:::{INPUT}/*": {"s3:GetObject"},
    f"arn:aws:s3:::{STAGE}/*": {*READ_WRITE, "s3:AbortMultipartUpload"},
    f"arn:aws:s3:::{OUTPUT}/*": READ_WRITE,
    f"arn:aws:lambda:{ACCOUNT}:function:face-recognition": {"lambda:InvokeFunction"},
    f"arn:aws:sqs:{ACCOUNT}:visage-splitting-dead-queue": {"sqs:SendMessage"},
    f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/video-splitting:*": LOG,
}
RECOGNITION = {
    f"arn:aws:s3:::{STAGE}": {"s3:ListBucket"},
    f"arn:aws:s3:::{OUTPUT}": {"s3:ListBucket"},
    f"arn:aws:s3:::{GALLERY}": {"s3:ListBucket"},
    f"arn:aws:s3:::{STAGE}/*": READ_WRITE,
    f"arn:aws:s3:::{OUTPUT}/*": READ_WRITE,
    f"arn:aws:s3:::{GALLERY}/gallery.sqlite": {"s3:GetObject"},
    f"arn:aws:lambda:{ACCOUNT}:function:video-splitting": {"lambda:InvokeFunction"},
    f"arn:aws:sqs:{ACCOUNT}:visage-recognition-dead-queue": {"sqs:SendMessage"},
    f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/face-recognition:*": LOG,
}
EXPECTED = {"SplittingRole": SPLITTING, "RecognitionRole": RECOGNITION}
# What the functions do with each store. Objects that go in parts are frames and segments alone.
LOOK, WRITE = {"get", "get another", "read", "version", "part"}, {"create", "replace"}
DONE = {
    "SplittingRole": {INPUT: LOOK, STAGE: LOOK | WRITE | {"list", "put", "put in parts"}, OUTPUT: LOOK | WRITE},
    "RecognitionRole": {STAGE: LOOK | WRITE | {"list"}, OUTPUT: LOOK | WRITE, GALLERY: LOOK - {"get another"}},
}
LONG = bytes(6 << 20)
VERBS: dict[str, Callable[[Objects], object]] = {
    "get": lambda objects: objects.get("gallery.sqlite"),
    "get another": lambda objects: objects.get("other"),
    "read": lambda objects: objects.read("gallery.sqlite"),
    "version": lambda objects: objects.version("gallery.sqlite"),
    "part": lambda objects: objects.part("gallery.sqlite", 0, 1, tag(b"there")),
    "list": lambda objects: list(objects.list("answers")),
    "put": lambda objects: objects.put("put", b"1"),
    "put in parts": lambda objects: objects.put("parts", LONG),
    "create": lambda objects: objects.create("created", b"1"),
    "replace": lambda objects: objects.replace("gallery.sqlite", b"there", tag(b"there")),
    "delete": lambda objects: objects.delete(["gallery.sqlite"]),
}


def tag(data: bytes) -> str:
    """S3's ETag of an object that was put in one piece."""
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    found = [one for policy in stack[role]["Policies"] for one in policy["PolicyDocument"]["Statement"]]
    assert "ManagedPolicyArns" not in stack[role]
    return found


@pytest.mark.parametrize("role", EXPECTED)
def test_each_role_may_do_this_and_nothing_else(stack: Stack, role: str) -> None:
    assert rights_of(statements(stack, role)) == EXPECTED[role]
    # S3 asks for the right to list, with no prefix, before it says that an object is not there.
    assert not any("Condition" in one for one in statements(stack, role))
    assert not any("*" in action for actions in EXPECTED[role].values() for action in actions)


def test_only_functions_take_on_the_roles(stack: Stack) -> None:
    roles = stack.of_type("AWS::IAM::Role")
    assert roles.keys() == EXPECTED.keys()
    for role in roles.values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert stack["SplittingFunction"]["Role"] == "SplittingRole.Arn"
    assert stack["RecognitionFunction"]["Role"] == "RecognitionRole.Arn"


def test_names_of_ones_own_are_followed(full_stack: Stack) -> None:
    recognition = rights_of(statements(full_stack, "RecognitionRole"))
    assert recognition[f"arn:aws:s3:::{GALLERY}/people/gallery.sqlite"] == {"s3:GetObject"}
    assert recognition[f"arn:aws:lambda:{ACCOUNT}:function:shop-splitting"] == {"lambda:InvokeFunction"}
    assert not any("visage" in resource for resource in recognition)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """With the stack's buckets, and in each an object."""
    with aws_server() as address:
        client = boto3.client("s3")
        for bucket in (INPUT, STAGE, OUTPUT, GALLERY):
            client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key="gallery.sqlite", Body=b"there")
            client.put_object(Bucket=bucket, Key="other", Body=b"there")
        client.close()
        yield address


@contextmanager
def acting_as(server: str, role: Mapping[str, Any]) -> Iterator[dict[str, Objects]]:
    """The buckets, opened with what the role may do and no more; moto asks for rights inside."""
    iam, sts = boto3.client("iam"), boto3.client("sts")
    trust = json.dumps(role["AssumeRolePolicyDocument"])
    (policy,) = role["Policies"]
    arn = iam.create_role(RoleName=policy["PolicyName"], AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    document = json.dumps(policy["PolicyDocument"])
    iam.put_role_policy(RoleName=policy["PolicyName"], PolicyName=policy["PolicyName"], PolicyDocument=document)
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="trial")["Credentials"]
    iam.close()
    sts.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
        patch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
        buckets = {bucket: open_objects(f"s3://{bucket}") for bucket in (INPUT, STAGE, OUTPUT, GALLERY)}
    ask_for_rights(server, after=b"0")
    try:
        yield buckets
    finally:
        ask_for_rights(server, after=b"inf")


def ask_for_rights(server: str, *, after: bytes) -> None:
    """after: how many calls."""
    with urlopen(Request(f"{server}/moto-api/reset-auth", after, {"Content-Type": "text/plain"})) as answer:
        assert json.loads(answer.read())["status"] == "ok"


def allowed(verb: str, objects: Objects) -> bool:
    """Raises what is wrong for any other reason."""
    try:
        VERBS[verb](objects)
    except StorageError as error:
        if "access is denied" not in str(error):
            raise
        return False
    return True


@pytest.mark.parametrize("role", DONE)
def test_the_stores_do_what_they_must_with_these_rights_and_delete_nothing(
    stack: Stack, server: str, role: str
) -> None:
    with acting_as(server, stack[role]) as buckets:
        found = {bucket: {verb for verb in VERBS if allowed(verb, objects)} for bucket, objects in buckets.items()}
    for bucket, verbs in found.items():
        needed = DONE[role].get(bucket, set())
        # For what S3 says of an object that is not there each is listed; who may create may put.
        more = {"list"} if needed else set()
        if "create" in needed:
            more |= {"put", "put in parts"}
        assert verbs == needed | more, bucket
