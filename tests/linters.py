"""AWS's own linters and a scanner for unsafe settings, each in an environment of its own (`make tools`)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parent.parent / ".tools"


def tool(room: str, name: str) -> Path:
    path = TOOLS / room / "bin" / name
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


def check_with_cfn_lint(template: Path, tmp_path: Path) -> None:
    done = run(tmp_path, tool("sam", "cfn-lint"), "--include-checks", "I", "--", template)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def check_with_sam(template: Path, tmp_path: Path) -> None:
    done = run(tmp_path, tool("sam", "sam"), "validate", "--lint", "--template", template)
    assert done.returncode == 0, done.stdout + done.stderr


def check_with_checkov(template: Path, tmp_path: Path, done_without: set[tuple[str, str]], *, at_least: int) -> None:
    """done_without: the checks, each with its resource, that the template turns off and gives a reason for. at_least:
    how many must have been passed."""
    done = run(
        tmp_path, tool("checkov", "checkov"), "--skip-download", "--framework", "cloudformation", "--output", "json",
        "--file", template,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    results = report["results"]
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert results["parsing_errors"] == []
    assert report["summary"]["passed"] >= at_least
    skipped = {(check["check_id"], check["resource"]): check for check in results["skipped_checks"]}
    assert set(skipped) == done_without
    for check in skipped.values():
        assert len(check["check_result"]["suppress_comment"]) > 20
