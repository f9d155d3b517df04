"""What is logged: enough to follow a request, and no name of anybody."""

import io
import json
import logging

import pytest
from flask.testing import FlaskClient

from tests.web.fakes import Tier, answer, form
from visage.core.service.keyring import Role
from visage.web.logs import EXTRA, JsonFormatter


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


def test_a_line_for_every_request(tier: Tier, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    account, key = tier.keyring.create("ada", Role.RECOGNIZE)
    body, kind = form("inputFile", b"picture", file="holiday-with-ada.jpg")
    tier.worker.work = lambda ticket, _: answer(ticket, [("Ada Lovelace", 40.0)])
    client.post("/?secret=1", data=body, content_type=kind, headers={"X-API-Key": key, "X-Request-Id": "r-1"})
    [line] = lines(caplog)
    assert line["request"] == "r-1"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/", 200)
    assert line["bytes_in"] == len(body)
    assert isinstance(line["ms"], float)
    assert (line["account"], line["job"]) == (account.id, tier.worker.tickets[0].id)
    assert line["level"] == "info"
    assert str(line["time"]).endswith("Z")
    for secret in ("Lovelace", "holiday", key, key.rsplit("_", 1)[1], "secret"):
        assert secret not in json.dumps(line)


def test_a_store_that_fails_is_logged_with_its_reason(
    tier: Tier, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    tier.inputs.down = True
    client.post("/v1/detect", data={"image": (io.BytesIO(b"1"), "a.jpg")}, headers={"X-Request-Id": "r-2"})
    [error] = [line for line in lines(caplog) if line["level"] == "error"]
    assert error["request"] == "r-2"
    assert "no space left on the device" in str(error["message"])
    assert "Traceback" in str(error["exception"])


def test_a_line_is_a_line() -> None:
    record = logging.LogRecord("visage.web", logging.INFO, "", 0, "two\nlines", None, None)
    record.__dict__[EXTRA] = {"path": "/a\r\nb"}
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "two\nlines"
