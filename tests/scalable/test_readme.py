"""scalable/README.md is true: what it names is there."""

import re
import shlex
from pathlib import Path
from typing import Any

from tests.readmes import check_links, check_visage, typed_in
from tests.scalable.conftest import GIVEN, ROOT
from visage.aws.station import HOOK
from visage.settings import Settings

FOLDER = ROOT / "scalable"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
DECISION = (ROOT / "docs" / "decisions" / "aws.md").read_text(encoding="utf-8")


def visage_commands() -> list[list[str]]:
    """The words after `visage` of every command line in the README, the decision page and the systemd units."""
    typed = [line.removeprefix("sudo ") for line in typed_in(README)]
    units = re.findall(r"^ +(?:app\) )?unit \w+ '?([a-z]+(?: --station instance)?)'? \d", _install(), re.MULTILINE)
    assert len(units) == 3
    texts = re.findall(r"`(?:sudo )?visage ([a-z][^`.]*)`", README + DECISION)
    found = [line.removeprefix("visage ") for line in typed if line.startswith("visage ")] + units + texts
    return [shlex.split(line, comments=True) for line in found]


def _install() -> str:
    return (FOLDER / "install.sh").read_text(encoding="utf-8")


def test_every_command_exists_with_its_options() -> None:
    assert len(visage_commands()) > 6
    for words in visage_commands():
        check_visage(words)


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(
        re.findall(r"\bmake ([a-z]+)\b", "\n".join(typed_in(README)) + "".join(re.findall(r"`[^`]*`", README)))
    )
    assert targets == {"package", "tools"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_deploy_command_gives_what_has_no_default(template: dict[str, Any]) -> None:
    (deploy,) = [line for line in typed_in(README) if "cloudformation deploy" in line]
    given = {word.partition("=")[0] for word in shlex.split(deploy.split("--parameter-overrides")[1])}
    assert given <= template["Parameters"].keys()
    needed = {name for name, parameter in template["Parameters"].items() if "Default" not in parameter}
    assert needed <= given
    assert needed == GIVEN.keys()


def test_every_parameter_and_output_that_is_named_exists(template: dict[str, Any]) -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)(?:=[^`]*)?`", README))
    named -= {"Release"}
    assert named <= template["Parameters"].keys() | template["Outputs"].keys()
    assert {"LoadBalancerName", "GallerySecretArn", "KeepDays"} <= named


def test_every_variable_is_a_setting() -> None:
    texts = [README, DECISION, *(path.read_text() for path in FOLDER.iterdir() if path.is_file())]
    known = {f"VISAGE_{name.upper()}" for name in Settings.__dataclass_fields__}
    assert set(re.findall(r"\bVISAGE_[A-Z_]+\b", "".join(texts))) <= known


def test_every_link_leads_somewhere() -> None:
    check_links(FOLDER, README)
    check_links(ROOT / "docs" / "decisions", DECISION)
    assert "](../architecture/scalable.png)" in README


def test_the_picture_has_its_source_and_is_small() -> None:
    for name in ("scalable.png", "scalable.svg"):
        assert (ROOT / "architecture" / name).stat().st_size <= 300_000
    names = {"web-instance", "app-tier-instance", "in-bucket", "out-bucket", "state-bucket", "visage autoscale"}
    drawn = (ROOT / "architecture" / "scalable.svg").read_text(encoding="utf-8")
    assert {name for name in names if f">{name}<" in drawn} == names


def test_names_agree_with_the_adapters(template: dict[str, Any]) -> None:
    group = template["Resources"]["AppTier"]["Properties"]
    (hook,) = group["LifecycleHookSpecificationList"]
    assert hook["LifecycleHookName"]["Fn::Sub"] == group["AutoScalingGroupName"]["Fn::Sub"] + HOOK


def test_the_pinned_tools_are_complete_lists() -> None:
    for name, wanted in (("sam", {"aws-sam-cli", "cfn-lint"}), ("checkov", {"checkov"})):
        pins = [line for line in Path(FOLDER, "tools", f"{name}.txt").read_text().splitlines() if line[:1] != "#"]
        assert all(re.match(r"[a-z0-9.-]+==[^ ]+( ; .+)?$", pin) for pin in pins)
        assert wanted <= {pin.split("==")[0] for pin in pins}
