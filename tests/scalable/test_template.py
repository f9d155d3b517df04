"""The template, resource by resource."""

import subprocess
from typing import Any

import pytest

from tests.scalable.conftest import GIVEN
from tests.templates import Stack, as_list, read
from visage.settings import Settings, load_settings

SQS = "arn:aws:sqs:eu-west-1:123456789012"


def user_data(stack: Stack, launch_template: str) -> str:
    text = stack[launch_template]["LaunchTemplateData"]["UserData"]
    assert isinstance(text, str)
    return text


def settings_of(stack: Stack, launch_template: str) -> dict[str, str]:
    """The lines that install.sh is given on standard input."""
    lines = user_data(stack, launch_template).split("<<'END'\n")[1].split("\nEND\n")[0].splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_nothing_is_open_unless_somebody_says_to_whom(template: dict[str, Any], stack: Stack) -> None:
    assert "Default" not in template["Parameters"]["IngressCidr"]
    assert "Default" not in template["Parameters"]["CertificateArn"]
    assert template["Parameters"]["Scheme"]["Default"] == "internal"
    groups = stack.of_type("AWS::EC2::SecurityGroup")
    ingress = {name: group.get("SecurityGroupIngress", []) for name, group in groups.items()}
    (clients,), (balancer,) = ingress["LoadBalancerGroup"], ingress["WebGroup"]
    assert (clients["FromPort"], clients["ToPort"], clients["CidrIp"]) == (443, 443, "203.0.113.0/24")
    assert (balancer["FromPort"], balancer["ToPort"]) == (8000, 8000)
    assert balancer["SourceSecurityGroupId"] == "LoadBalancerGroup"
    assert ingress["AppGroup"] == []
    assert stack.of_type("AWS::EC2::SecurityGroupIngress") == {}


def test_only_https_goes_out(stack: Stack) -> None:
    for name in ("WebGroup", "AppGroup"):
        assert [(rule["FromPort"], rule["ToPort"]) for rule in stack[name]["SecurityGroupEgress"]] == [(443, 443)]
    (nothing,) = stack["LoadBalancerGroup"]["SecurityGroupEgress"]
    assert nothing["CidrIp"] == "255.255.255.255/32"
    assert stack["LoadBalancerToWeb"]["DestinationSecurityGroupId"] == "WebGroup"


def test_clients_speak_tls_with_the_certificate_given(stack: Stack) -> None:
    (listener,) = stack.of_type("AWS::ElasticLoadBalancingV2::Listener").values()
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert "TLS13" in listener["SslPolicy"]
    assert listener["Certificates"] == [{"CertificateArn": GIVEN["CertificateArn"]}]
    assert listener["DefaultActions"] == [{"Type": "forward", "TargetGroupArn": "WebTarget"}]


def test_buckets_are_private_encrypted_and_forget(stack: Stack, full_stack: Stack) -> None:
    buckets = stack.of_type("AWS::S3::Bucket")
    names = {bucket["BucketName"] for bucket in buckets.values()}
    assert names == {"visage-in-bucket", "visage-out-bucket", "visage-state-bucket"}
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert "VersioningConfiguration" not in bucket
    assert {name: _days(bucket) for name, bucket in buckets.items()} == {
        "InBucket": [7, None], "OutBucket": [7, None], "StateBucket": [None],
    }  # fmt: skip
    assert _days(full_stack["InBucket"]) == _days(full_stack["OutBucket"]) == [3, None]
    for bucket in buckets.values():
        last = bucket["LifecycleConfiguration"]["Rules"][-1]
        assert (last["Status"], last["AbortIncompleteMultipartUpload"]) == ("Enabled", {"DaysAfterInitiation": 1})


def _days(bucket: dict[str, Any]) -> list[int | None]:
    return [rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]]


def test_buckets_and_queues_speak_tls_only(stack: Stack) -> None:
    closed: set[str] = set()
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
        for policy in stack.of_type(kind).values():
            (statement,) = policy["PolicyDocument"]["Statement"]
            assert statement["Effect"] == "Deny"
            assert statement["Principal"] == "*"
            assert statement["Action"] in {"s3:*", "sqs:*"}
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            closed.update(as_list(statement["Resource"]))
    buckets = [f"arn:aws:s3:::visage-{name}-bucket" for name in ("in", "out", "state")]
    queues = {f"{SQS}:visage-req-queue", f"{SQS}:visage-req-dead-queue"}
    assert closed == {*buckets, *(f"{bucket}/*" for bucket in buckets), *queues}


def test_a_job_that_never_gets_anywhere_ends_among_the_dead_letters(stack: Stack) -> None:
    assert stack.of_type("AWS::SQS::Queue").keys() == {"RequestQueue", "DeadQueue"}
    requests, dead = stack["RequestQueue"], stack["DeadQueue"]
    assert requests["RedrivePolicy"] == {
        "deadLetterTargetArn": f"{SQS}:visage-req-dead-queue", "maxReceiveCount": 50,
    }  # fmt: skip
    assert dead["RedriveAllowPolicy"]["sourceQueueArns"] == [f"{SQS}:visage-req-queue"]
    assert dead["MessageRetentionPeriod"] > requests["MessageRetentionPeriod"]
    assert requests["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True
    assert requests["VisibilityTimeout"] == load_settings({"VISAGE_QUEUE": "sqs://any"}).lease_seconds


def test_what_the_stack_made_goes_with_it(template: dict[str, Any]) -> None:
    """Buckets too, but S3 deletes none that holds anything, so no face is lost or left behind unnoticed."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}:
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete"), name


@pytest.mark.parametrize(("name", "machine"), [("WebTemplate", "t3.small"), ("AppTemplate", "c7i.large")])
def test_instances(stack: Stack, full_stack: Stack, name: str, machine: str) -> None:
    data = stack[name]["LaunchTemplateData"]
    metadata = data["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    assert all(disk["Ebs"]["Encrypted"] and disk["Ebs"]["DeleteOnTermination"] for disk in data["BlockDeviceMappings"])
    assert "KeyName" not in data
    assert data["InstanceType"] == machine
    assert data["ImageId"].endswith("al2023-ami-kernel-default-x86_64}}")
    assert data["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    other = full_stack[name]["LaunchTemplateData"]
    assert other["InstanceType"] == {"t3.small": "t4g.small", "c7i.large": "c7g.large"}[machine]
    assert other["ImageId"].endswith("-arm64}}")
    assert other["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True


def test_there_is_exactly_one_autoscaler(template: dict[str, Any], stack: Stack) -> None:
    web = stack["WebTier"]
    assert (web["MinSize"], web["MaxSize"], web["DesiredCapacity"]) == ("1", "1", "1")
    # The old one goes before the new one starts, whoever replaces it: the group itself or an update.
    assert web["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100}
    update = template["Resources"]["WebTier"]["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (update["MinInstancesInService"], update["MaxBatchSize"]) == (0, 1)
    assert "bash install.sh web " in user_data(stack, "WebTemplate")
    assert "bash install.sh app " in user_data(stack, "AppTemplate")
    assert web["TargetGroupARNs"] == ["WebTarget"]
    assert web["LaunchTemplate"]["LaunchTemplateId"] == "WebTemplate"


def test_the_app_tier_has_0_to_20_instances_and_gives_them_time_to_leave(stack: Stack) -> None:
    group = stack["AppTier"]
    assert (group["AutoScalingGroupName"], group["MinSize"], group["MaxSize"]) == ("visage-app-tier", 0, 20)
    # An update of the stack must not undo what the autoscaler asked for.
    assert "DesiredCapacity" not in group
    assert group["NewInstancesProtectedFromScaleIn"] is False
    (hook,) = group["LifecycleHookSpecificationList"]
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["DefaultResult"] == "CONTINUE"
    assert group["DefaultInstanceWarmup"] > 0
    assert group["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 100


def test_names(stack: Stack, full_stack: Stack) -> None:
    for group, name in (("WebTier", "web-instance"), ("AppTier", "app-tier-instance")):
        assert stack[group]["Tags"] == [{"Key": "Name", "Value": name, "PropagateAtLaunch": True}]
    assert stack["RequestQueue"]["QueueName"] == "visage-req-queue"
    assert full_stack["RequestQueue"]["QueueName"] == "shop-faces-req-queue"
    assert full_stack["InBucket"]["BucketName"] == "shop-faces-in-bucket"


def test_logs_end_some_day(stack: Stack) -> None:
    logs = stack.of_type("AWS::Logs::LogGroup")
    assert {group["LogGroupName"]: group["RetentionInDays"] for group in logs.values()} == {
        "visage-web-tier": 14, "visage-app-tier": 14,
    }  # fmt: skip
    assert "--log-group visage-web-tier " in user_data(stack, "WebTemplate")
    assert "--log-group visage-app-tier " in user_data(stack, "AppTemplate")


def test_alarms_report_where_they_are_told_to(stack: Stack, full_stack: Stack) -> None:
    alarms = stack.of_type("AWS::CloudWatch::Alarm")
    assert alarms.keys() == {"DeadLettersAlarm", "OldRequestsAlarm", "ServerErrorsAlarm", "WebDownAlarm"}
    assert not any("AlarmActions" in alarm for alarm in alarms.values())
    told = full_stack.of_type("AWS::CloudWatch::Alarm")
    assert {tuple(alarm["AlarmActions"]) for alarm in told.values()} == {("arn:aws:sns:eu-west-1:123456789012:alarms",)}
    assert alarms["DeadLettersAlarm"]["Dimensions"] == [{"Name": "QueueName", "Value": "visage-req-dead-queue"}]
    assert alarms["OldRequestsAlarm"]["Dimensions"] == [{"Name": "QueueName", "Value": "visage-req-queue"}]


def test_the_web_tier_gets_these_settings(stack: Stack) -> None:
    given = settings_of(stack, "WebTemplate")
    settings = load_settings(given)
    assert given["AWS_REGION"] == given["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert settings.queue_url == "sqs://visage-req-queue"
    assert settings.inputs_url == "s3://visage-in-bucket"
    assert settings.outputs_url == "s3://visage-out-bucket"
    assert settings.keys_url == "s3://visage-state-bucket/keys"
    assert settings.gallery_url == "s3://visage-state-bucket/gallery.sqlite"
    assert settings.journal_url == "s3://visage-state-bucket/journal"
    assert (settings.unknown_url, settings.unknown_days) == ("s3://visage-state-bucket/unknown", 0)
    assert settings.fleet == "asg:visage-app-tier"
    assert (settings.min_workers, settings.max_workers, settings.keep_days) == (0, 20, 7)
    assert (settings.host, settings.port, settings.behind_tls_proxy) == ("0.0.0.0", 8000, True)
    assert settings.runtime == "openvino"
    assert stack["WebTarget"]["Port"] == settings.port


def test_the_app_tier_works_at_the_same_places(stack: Stack) -> None:
    web, app = settings_of(stack, "WebTemplate"), settings_of(stack, "AppTemplate")
    assert app.items() <= web.items()
    assert {"VISAGE_QUEUE", "VISAGE_INPUTS", "VISAGE_OUTPUTS", "VISAGE_GALLERY", "VISAGE_FLEET"} <= set(app)
    assert "VISAGE_KEYS" not in app


@pytest.mark.parametrize("name", ["WebTemplate", "AppTemplate"])
def test_what_an_instance_runs_at_start(full_stack: Stack, name: str) -> None:
    script = user_data(full_stack, name)
    known = {f"VISAGE_{field.upper()}" for field in Settings.__dataclass_fields__}
    assert {setting for setting in settings_of(full_stack, name) if setting.startswith("VISAGE_")} <= known
    assert "${" not in script, "CloudFormation would take it for one of its own"
    # Nothing of a release is run before all of it is known to be what the stack names.
    checks = (f'echo "{GIVEN["Release"]}  manifest.sha256" | sha256sum --check', "sha256sum --check --quiet manifest")
    places = [script.index(words) for words in (*checks, "bash install.sh")]
    assert places == sorted(places)
    # Whoever may describe instances reads this, so secrets are only named.
    assert "postgresql://" not in script
    assert '--gallery-secret "arn:aws:secretsmanager:' in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_no_parameter_is_a_secret(template: dict[str, Any]) -> None:
    words = ("password", "token", "key")
    assert not [name for name in template["Parameters"] if any(word in name.lower() for word in words)]
    assert not any(parameter.get("NoEcho") for parameter in template["Parameters"].values())


def test_the_reader_knows_what_it_reads(tmp_path: Any) -> None:
    """The other tests are worth as much as the reader that they trust."""
    file = tmp_path / "t.yaml"
    file.write_text(
        "Parameters: {P: {Default: a}, Q: {Type: String}}\n"
        "Conditions: {IsA: !Equals [!Ref P, a], NotA: !Not [!Condition IsA]}\n"
        "Resources:\n"
        "  B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Sub '${P}-${Q}'}}\n"
        "  R:\n"
        "    Type: X\n"
        "    Properties:\n"
        "      one: !If [IsA, !GetAtt B.Arn, no]\n"
        "      two: [!If [NotA, 1, !Ref AWS::NoValue], !Ref B]\n"
        "  S: {Type: X, Condition: NotA, Properties: {}}\n"
    )
    made = Stack(read(file), {"Q": "b"})
    assert made["R"] == {"one": "arn:aws:s3:::a-b", "two": ["a-b"]}
    assert made.of_type("X").keys() == {"R"}
    with pytest.raises(AssertionError, match="not made"):
        made["S"]
    with pytest.raises(AssertionError, match="must be given"):
        Stack(read(file), {})
