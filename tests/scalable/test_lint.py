"""The template through AWS's own linters and a scanner for unsafe settings; `make tools` installs them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scalable.conftest import ROOT, TEMPLATE

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


def tool(room: str, name: str) -> Path:
    path = ROOT / ".tools" / room / "bin" / name
    if not path.is_file():
        reason = f"{name} is not installed; install it with: make tools"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def run(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Without the network, and with a home folder of its own."""
    nowhere = "http://127.0.0.1:9"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    environment |= {
        "HOME": str(tmp_path),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
    }
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )


def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, tool("sam", "cfn-lint"), "--include-checks", "I", "--", TEMPLATE)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.slow
def test_sam_takes_it_for_valid(tmp_path: Path) -> None:
    done = run(tmp_path, tool("sam", "sam"), "validate", "--lint", "--template", TEMPLATE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_checkov_finds_nothing_that_is_not_accounted_for(tmp_path: Path) -> None:
    done = run(
        tmp_path, tool("checkov", "checkov"), "--skip-download", "--framework", "cloudformation", "--output", "json",
        "--file", TEMPLATE,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    results = report["results"]
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert results["parsing_errors"] == []
    assert report["summary"]["passed"] > 50
    skipped = {(check["check_id"], check["resource"]): check for check in results["skipped_checks"]}
    assert set(skipped) == DONE_WITHOUT
    for check in skipped.values():
        assert len(check["check_result"]["suppress_comment"]) > 20
