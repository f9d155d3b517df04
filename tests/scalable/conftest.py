"""The template with what a stranger would give it."""

from pathlib import Path
from typing import Any

from tests.templates import fixtures

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "scalable" / "template.yaml"
GIVEN: dict[str, Any] = {
    "DeployBucket": "somebody-deploy",
    "Release": "0123456789abcdef" * 4,
    "VpcId": "vpc-1",
    "LoadBalancerSubnets": ["subnet-1", "subnet-2"],
    "InstanceSubnets": ["subnet-3"],
    "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
    "IngressCidr": "203.0.113.0/24",
}
# Everything optional asked for, under another prefix.
OPTIONAL: dict[str, Any] = {
    "Prefix": "shop-faces",
    "Architecture": "arm64",
    "GallerySecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gallery",
    "GalleryCidr": "10.0.5.0/24",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
    "KeepDays": 3,
    "UnknownDays": 30,
    "PublicIps": "yes",
}

template, stack, full_stack = fixtures(TEMPLATE, GIVEN, OPTIONAL)
