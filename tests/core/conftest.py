"""A service in a folder, for the tests of the app tier."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.core.benches import LEASE
from tests.core.service_fakes import Service, enroll_both
from visage.core.service import outbox


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    enroll_both(tmp_path)
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def hasty(service: Service, tmp_path: Path) -> Iterator[Service]:
    """The same with short leases."""
    with closing(Service(tmp_path, lease=LEASE)) as opened:
        yield opened


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off is tried again at once."""
    monkeypatch.setattr(outbox, "RETRY", 0.02)
    monkeypatch.setattr(outbox, "LATEST", 0.1)
