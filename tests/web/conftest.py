"""A service in memory for each test, and a client that speaks to it without a socket."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import Tier, open_tier


@pytest.fixture
def tier() -> Iterator[Tier]:
    opened = open_tier()
    yield opened
    opened.close()


@pytest.fixture
def client(tier: Tier) -> FlaskClient:
    return tier.app.test_client()
