"""The OpenAPI document: valid, whole, and no promise that is not kept."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.web.fakes import Tier
from visage.web.app import ROLES


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] | None = client.get("/openapi.json").json
    assert found
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(path, method): operation for path, item in document["paths"].items() for method, operation in item.items()}


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_it(tier: Tier, document: dict[str, Any]) -> None:
    """Save those of the page, which are for people."""
    routes = {
        (re.sub("<([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in tier.app.url_map.iter_rules()
        if not rule.endpoint.startswith("page_")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == routes


def test_every_status_is_in_it_as_a_problem(document: dict[str, Any]) -> None:
    for (path, _), operation in operations(document).items():
        statuses = {int(status) for status in operation["responses"]}
        assert statuses >= {400, 403, 405, 408, 413, 429, 500, 503}
        for status in statuses:
            if status >= 400:
                content = operation["responses"][str(status)]["content"]
                assert set(content) == {"application/problem+json"}, path
        if operation["operationId"] in ROLES:
            assert 401 in statuses
            assert operation["security"] == [{"bearer": []}, {"header": []}]


def test_who_wants_a_key_has_a_role_for_it(tier: Tier, document: dict[str, Any]) -> None:
    """Roles go by the function's name: one of another name than the document's would be open to all."""
    endpoints = {rule.endpoint for rule in tier.app.url_map.iter_rules()}
    secured = {one["operationId"] for one in operations(document).values() if one.get("security")}
    assert secured <= endpoints & set(ROLES)


def test_parameters_are_said(document: dict[str, Any]) -> None:
    recognize = operations(document)["/v1/recognize", "post"]
    names = {(one["in"], one["name"]) for one in recognize["parameters"]}
    query = {"collection", "threshold", "max_false_match_rate", "nearest", "limit", "vectors", "every"}
    assert names == {("query", name) for name in query} | {("header", "Idempotency-Key"), ("header", "Prefer")}
    content = recognize["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json", "image/*", "video/*", "application/octet-stream"}
    assert set(content["multipart/form-data"]["schema"]["properties"]) == query | {"image", "video", "file"}
    assert set(recognize["responses"]) >= {"200", "202", "401", "409", "415", "422"}


def test_the_problem_is_described(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]["ProblemOut"]["required"]) == {
        "type", "title", "status", "detail", "request_id",
    }  # fmt: skip
