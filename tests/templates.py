"""A CloudFormation or SAM template, read and resolved as CloudFormation would with given parameters."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

ACCOUNT, REGION = "123456789012", "eu-west-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": "STACK",
    "AWS::URLSuffix": "amazonaws.com",
}
# Of these a reference is the name that they are given.
NAMED = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Serverless::Function": "FunctionName",
}
# What stands for a property or list element that CloudFormation leaves out.
NOTHING = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms (!Ref, !Sub, ...) as the long ones."""


def _long_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt":
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _long_form)


def read(path: Path) -> dict[str, Any]:
    """The template, nothing resolved."""
    found = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    assert isinstance(found, dict)
    return found


def as_list(value: Any) -> list[Any]:
    """What may stand alone, or be several, as in a policy."""
    return value if isinstance(value, list) else [value]


def rights_of(statements: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """A policy's statements: what may be done to each resource."""
    found: dict[str, set[str]] = {}
    for one in statements:
        assert one["Effect"] == "Allow"
        for resource in as_list(one["Resource"]):
            found.setdefault(resource, set()).update(as_list(one["Action"]))
    return found


class Stack:
    """What a template makes of parameters. `stack["InBucket"]` is a resource's properties, all references resolved."""

    def __init__(self, template: dict[str, Any], parameters: dict[str, Any]) -> None:
        self.template = template
        self._values: dict[str, Any] = dict(PSEUDO)
        for name, parameter in template["Parameters"].items():
            assert name in parameters or "Default" in parameter, f"the parameter {name} must be given"
            self._values[name] = parameters.get(name, parameter.get("Default"))
        unknown = set(parameters) - set(template["Parameters"])
        assert not unknown, f"the template has no parameter {unknown}"

    def __getitem__(self, name: str) -> dict[str, Any]:
        resource = self.template["Resources"][name]
        assert self._holds(resource.get("Condition")), f"{name} is not made with these parameters"
        properties = self.resolve(resource["Properties"])
        assert isinstance(properties, dict)
        return properties

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type that are made, by name."""
        return {
            name: self[name]
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == kind and self._holds(resource.get("Condition"))
        }

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for one in value if (found := self.resolve(one)) is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, inner), *_ = value.items()
            if name == "Ref":
                return self._ref(inner)
            if name == "Fn::GetAtt":
                return self._attribute(*inner)
            if name == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._named(found.group(1))), inner)
            if name == "Fn::If":
                return self.resolve(inner[1] if self._holds(inner[0]) else inner[2])
            if name == "Fn::Base64":
                return self.resolve(inner)
        resolved = {key: self.resolve(inner) for key, inner in value.items()}
        return {key: inner for key, inner in resolved.items() if inner is not NOTHING}

    def _named(self, name: str) -> Any:
        return self._attribute(*name.split(".", 1)) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        if name in self._values:
            return self._values[name]
        resource = self.template["Resources"][name]
        named = NAMED.get(resource["Type"])
        return self.resolve(resource["Properties"][named]) if named else name

    def _attribute(self, name: str, attribute: str) -> str:
        resource = self.template["Resources"][name]
        kind, properties = resource["Type"], resource["Properties"]
        if kind == "AWS::S3::Bucket" and attribute == "Arn":
            return f"arn:aws:s3:::{self.resolve(properties['BucketName'])}"
        if kind == "AWS::SQS::Queue":
            queue = self.resolve(properties["QueueName"])
            return queue if attribute == "QueueName" else f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
        if kind == "AWS::Logs::LogGroup":
            return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{self.resolve(properties['LogGroupName'])}:*"
        if kind == "AWS::Serverless::Function" and attribute == "Arn":
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.resolve(properties['FunctionName'])}"
        return f"{name}.{attribute}"

    def _holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        if isinstance(condition, str):
            return self._holds(self.template["Conditions"][condition])
        (name, inner), *_ = condition.items()
        if name == "Condition":
            return self._holds(inner)
        if name == "Fn::Not":
            return not self._holds(inner[0])
        assert name == "Fn::Equals", f"this reader knows no {name}"
        left, right = self.resolve(inner)
        return bool(left == right)


def fixtures(path: Path, given: dict[str, Any], optional: dict[str, Any]) -> tuple[object, object, object]:
    """For a conftest.py: `template`, as it is read; `stack`, with every default left at it; `full_stack`, with all
    that is optional."""

    @pytest.fixture(scope="session")
    def template() -> dict[str, Any]:
        return read(path)

    @pytest.fixture(scope="session")
    def stack(template: dict[str, Any]) -> Stack:
        return Stack(template, given)

    @pytest.fixture(scope="session")
    def full_stack(template: dict[str, Any]) -> Stack:
        return Stack(template, given | optional)

    return template, stack, full_stack
