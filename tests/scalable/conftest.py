"""The template with what a stranger would give it."""

from pathlib import Path
from typing import Any

import pytest

from tests.templates import Stack, read

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
        "Architecture": "arm64",
        "GallerySecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gallery",
        "GalleryCidr": "10.0.5.0/24",
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "KeepDays": 3,
        "PublicIps": "yes",
    }
    return Stack(template, GIVEN | optional)
