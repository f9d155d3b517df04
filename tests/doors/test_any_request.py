"""Requests that nobody thought of: schemathesis makes them out of the OpenAPI document, and the service as it is run
answers each in a way that the document names, and never with a fault of its own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.doors.service import site_in
from tests.web.fakes import open_tier
from visage.core.service.keyring import Role
from visage.wiring import open_keyring

# For each operation. More find little more, and the whole run of tests is to stay short.
EXAMPLES = 12


def operations() -> list[str]:
    with closing(open_tier()) as tier:
        document: Any = tier.app.test_client().get("/openapi.json").json
    return [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory, home: Path, samples: Path) -> Iterator[Any]:
    with site_in(tmp_path_factory.mktemp("any"), home, VISAGE_REQUEST_SECONDS="0.5", VISAGE_UNKNOWN_DAYS="1") as site:
        site.visage("enroll", "--name", "Barack Obama", samples / "obama.jpg")
        _, key = open_keyring(site.settings).create("schemathesis", Role.ADMIN)
        url = site.serve().url
        yield schemathesis.openapi.from_url(f"{url}/openapi.json", headers={"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("operation", operations())
def test_any_request(schema: Any, operation: str) -> None:
    method, path = operation.split()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy())
    def ask(case: Case[Any]) -> None:
        # What no schema can say, as that a name holds no control character, is refused all the same.
        case.call_and_validate(timeout=30, excluded_checks=[positive_data_acceptance])

    ask()
