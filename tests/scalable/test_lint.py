"""The template through AWS's own linters and a scanner for unsafe settings; `make tools` installs them."""

from pathlib import Path

import pytest

from tests.linters import check_with_cfn_lint, check_with_checkov, check_with_sam
from tests.scalable.conftest import TEMPLATE

# What the scanner asks for and this template does without; the reason stands beside each, in the template.
DONE_WITHOUT = {
    ("CKV_AWS_21", "AWS::S3::Bucket.InBucket"),
    ("CKV_AWS_21", "AWS::S3::Bucket.OutBucket"),
    ("CKV_AWS_21", "AWS::S3::Bucket.StateBucket"),
    ("CKV_AWS_18", "AWS::S3::Bucket.InBucket"),
    ("CKV_AWS_18", "AWS::S3::Bucket.OutBucket"),
    ("CKV_AWS_18", "AWS::S3::Bucket.StateBucket"),
    ("CKV_AWS_27", "AWS::SQS::Queue.RequestQueue"),
    ("CKV_AWS_27", "AWS::SQS::Queue.DeadQueue"),
    ("CKV_AWS_91", "AWS::ElasticLoadBalancingV2::LoadBalancer.LoadBalancer"),
    ("CKV_AWS_158", "AWS::Logs::LogGroup.WebLogs"),
    ("CKV_AWS_158", "AWS::Logs::LogGroup.AppLogs"),
}


def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    check_with_cfn_lint(TEMPLATE, tmp_path)


@pytest.mark.slow
def test_sam_takes_it_for_valid(tmp_path: Path) -> None:
    check_with_sam(TEMPLATE, tmp_path)


@pytest.mark.slow
def test_checkov_finds_nothing_that_is_not_accounted_for(tmp_path: Path) -> None:
    check_with_checkov(TEMPLATE, tmp_path, DONE_WITHOUT, at_least=51)
