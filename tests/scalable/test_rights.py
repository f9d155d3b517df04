"""What each role may do: exactly this."""

import re
from typing import Any

import pytest

from tests.scalable.conftest import GIVEN, ROOT
from tests.templates import Stack, rights_of

SQS = "arn:aws:sqs:eu-west-1:123456789012"
GROUP = "arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/visage-app-tier"
RELEASE = "arn:aws:s3:::somebody-deploy"
LOGS = "arn:aws:logs:eu-west-1:123456789012:log-group"
SESSIONS = (
    "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
)  # fmt: skip
# Of these alone AWS says that they know no resources.
WITHOUT_RESOURCE = {*SESSIONS, "sqs:ListQueues", "autoscaling:DescribeAutoScalingGroups"}
BOTH = {
    f"{RELEASE}/{GIVEN['Release']}/*": {"s3:GetObject"},
    RELEASE: {"s3:ListBucket"},
    "arn:aws:s3:::visage-in-bucket": {"s3:ListBucket"},
    "arn:aws:s3:::visage-out-bucket": {"s3:ListBucket"},
    "arn:aws:s3:::visage-state-bucket": {"s3:ListBucket"},
    "arn:aws:s3:::visage-state-bucket/gallery.sqlite": {"s3:GetObject"},
}
WRITE = {"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"}
KEEP = {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}
LOG = {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}
TAKE = {
    "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
}  # fmt: skip
WEB = BOTH | {
    "*": {*SESSIONS, "sqs:ListQueues", "autoscaling:DescribeAutoScalingGroups"},
    f"{SQS}:visage-req-queue": {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
    f"{SQS}:visage-req-dead-queue": TAKE,
    f"{SQS}:visage-reply-*": {
        "sqs:CreateQueue", "sqs:DeleteMessage", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
        "sqs:ListQueueTags", "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:TagQueue",
    },
    "arn:aws:s3:::visage-in-bucket/*": WRITE,
    "arn:aws:s3:::visage-out-bucket/*": WRITE,
    "arn:aws:s3:::visage-state-bucket/keys/*": KEEP,
    "arn:aws:s3:::visage-state-bucket/journal/*": KEEP,
    "arn:aws:s3:::visage-state-bucket/unknown/*": KEEP,
    f"{LOGS}:visage-web-tier:*": LOG,
    GROUP: {"autoscaling:SetDesiredCapacity"},
}  # fmt: skip
APP = BOTH | {
    "*": {*SESSIONS},
    f"{SQS}:visage-req-queue": TAKE | {"sqs:SendMessage"},
    f"{SQS}:visage-req-dead-queue": {"sqs:GetQueueUrl", "sqs:SendMessage"},
    f"{SQS}:visage-reply-*": {"sqs:GetQueueUrl", "sqs:SendMessage"},
    "arn:aws:s3:::visage-in-bucket/*": WRITE,
    "arn:aws:s3:::visage-out-bucket/*": WRITE,
    "arn:aws:s3:::visage-state-bucket/unknown/*": KEEP,
    f"{LOGS}:visage-app-tier:*": LOG,
    GROUP: {"autoscaling:CompleteLifecycleAction", "autoscaling:SetInstanceProtection"},
}


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    """Everything a role is allowed, its managed policy's too."""
    found = [one for policy in stack[role]["Policies"] for one in policy["PolicyDocument"]["Statement"]]
    assert stack[role]["ManagedPolicyArns"] == ["InstallPolicy"]
    found += stack["InstallPolicy"]["PolicyDocument"]["Statement"]
    return found


def rights(stack: Stack, role: str) -> dict[str, set[str]]:
    """What may be done to each resource."""
    return rights_of(statements(stack, role))


@pytest.mark.parametrize(("role", "expected"), [("WebRole", WEB), ("AppRole", APP)])
def test_each_role_may_do_this_and_nothing_else(stack: Stack, role: str, expected: dict[str, set[str]]) -> None:
    assert rights(stack, role) == expected
    assert expected["*"] <= WITHOUT_RESOURCE
    assert not any("*" in action for actions in expected.values() for action in actions)


def test_the_app_tier_may_send_only_parts_of_jobs_replies_and_dead_letters(stack: Stack) -> None:
    sends = {resource for resource, actions in rights(stack, "AppRole").items() if "sqs:SendMessage" in actions}
    assert sends == {f"{SQS}:visage-req-queue", f"{SQS}:visage-reply-*", f"{SQS}:visage-req-dead-queue"}


def test_a_release_may_be_listed_but_not_the_whole_deploy_bucket(stack: Stack) -> None:
    (listing,) = [one for one in statements(stack, "AppRole") if one["Resource"] == RELEASE]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{GIVEN['Release']}/*"}}


def test_a_gallery_by_url_adds_the_right_to_its_secret_and_the_way_to_its_server(
    stack: Stack, full_stack: Stack
) -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gallery"
    for role in ("WebRole", "AppRole"):
        assert rights(full_stack, role)[secret] == {"secretsmanager:GetSecretValue"}
    out = "AWS::EC2::SecurityGroupEgress"
    assert stack.of_type(out).keys() == {"LoadBalancerToWeb"}
    for name in ("WebToGallery", "AppToGallery"):
        rule = full_stack[name]
        assert (rule["FromPort"], rule["ToPort"], rule["CidrIp"]) == (5432, 5432, "10.0.5.0/24")


def test_only_instances_take_on_the_roles(stack: Stack) -> None:
    roles = stack.of_type("AWS::IAM::Role")
    assert roles.keys() == {"WebRole", "AppRole"}
    for role in roles.values():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert stack["WebProfile"]["Roles"] == ["WebRole"]
    assert stack["AppProfile"]["Roles"] == ["AppRole"]
    for tier, template in (("Web", "WebTemplate"), ("App", "AppTemplate")):
        assert stack[template]["LaunchTemplateData"]["IamInstanceProfile"] == {"Arn": f"{tier}Profile.Arn"}


def test_what_the_adapters_ask_of_aws_is_allowed_and_nothing_that_they_never_ask() -> None:
    """Of queues and groups: every call in visage.aws is some role's right, and every right some call's."""
    called: set[str] = set()
    for path in (ROOT / "src" / "visage" / "aws").glob("*.py"):
        service = "sqs" if path.name.startswith("sqs") else "autoscaling"
        names = re.findall(r"\bclient\.([a-z_]+)\(|_client\.([a-z_]+)\(|get_paginator\(\"([a-z_]+)\"", path.read_text())
        verbs = {"".join(words).removesuffix("_batch") for words in names} - {"close", "get_paginator"}
        called |= {f"{service}:{verb.title().replace('_', '')}" for verb in verbs}
    allowed = {action for actions in (*WEB.values(), *APP.values()) for action in actions}
    assert called == {action for action in allowed if action.startswith(("sqs:", "autoscaling:"))}
