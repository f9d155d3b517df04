"""The template through AWS's own linters and a scanner for unsafe settings, and as `sam build` understands it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.linters import check_with_cfn_lint, check_with_checkov, check_with_sam, run, tool
from tests.serverless.conftest import GIVEN, ROOT, TEMPLATE

# What the scanner asks for and this template does without; the reason stands beside each, in the template.
DONE_WITHOUT = {
    *((check, f"AWS::S3::Bucket.{name}Bucket") for check in ("CKV_AWS_18", "CKV_AWS_21")
      for name in ("Input", "Stage", "Output")),
    *((check, f"AWS::Serverless::Function.{name}Function") for check in ("CKV_AWS_117", "CKV_AWS_173")
      for name in ("Splitting", "Recognition")),
    *(("CKV_AWS_27", f"AWS::SQS::Queue.{name}DeadQueue") for name in ("Splitting", "Recognition")),
    *(("CKV_AWS_158", f"AWS::Logs::LogGroup.{name}Logs") for name in ("Splitting", "Recognition")),
}  # fmt: skip

# Run by the Python of the SAM command line: what it would build, with these parameters.
WHAT_IS_BUILT = """
import json, sys
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

stacks, remote = SamLocalStackProvider.get_stacks(sys.argv[1], parameter_overrides=json.loads(sys.argv[2]))
built = {one.functionname: [one.architectures, one.metadata] for one in SamFunctionProvider(stacks).get_all()}
print(json.dumps(built))
"""


def test_cfn_lint_finds_nothing(tmp_path: Path) -> None:
    check_with_cfn_lint(TEMPLATE, tmp_path)


@pytest.mark.slow
def test_sam_takes_it_for_valid(tmp_path: Path) -> None:
    check_with_sam(TEMPLATE, tmp_path)


@pytest.mark.slow
def test_checkov_finds_nothing_that_is_not_accounted_for(tmp_path: Path) -> None:
    check_with_checkov(TEMPLATE, tmp_path, DONE_WITHOUT, at_least=45)


@pytest.mark.slow
def test_sam_builds_what_the_parameters_say_from_the_repository(tmp_path: Path) -> None:
    parameters = {**GIVEN, "Runtime": "torch", "Architecture": "arm64"}
    done = run(tmp_path, tool("sam", "python"), "-c", WHAT_IS_BUILT, TEMPLATE, json.dumps(parameters))
    assert done.returncode == 0, done.stderr
    built: dict[str, tuple[list[str], dict[str, Any]]] = json.loads(done.stdout)
    assert built.keys() == {"video-splitting", "face-recognition"}
    for architectures, metadata in built.values():
        assert architectures == ["arm64"]
        context = (tmp_path / metadata["DockerContext"]).resolve()  # SAM tells it from where it runs, or whole
        assert context == ROOT
        assert (context / metadata["Dockerfile"]).is_file()
    _, metadata = built["face-recognition"]
    assert (metadata["DockerBuildArgs"], metadata["DockerTag"]) == ({"RUNTIME": "torch"}, "torch")
