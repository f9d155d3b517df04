"""/v1/models and /v1/system: what is there, how it stands, and what is to be done."""

import dataclasses
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.web.fakes import FACTS, QUALITY, Tier, open_tier
from visage.apps.checkup import check_disk, check_models, check_people, facts_of
from visage.core.errors import StorageError
from visage.core.ports.queue import DeadLetter, Depth
from visage.core.service.keyring import Key, Role
from visage.core.values import EnrolledFace
from visage.settings import load_settings
from visage.web.facts import Facts, Finding, Level
from visage.web.remembered import Remembered
from visage.wiring import open_gallery, open_keyring


def system(client: FlaskClient, **headers: str) -> dict[str, Any]:
    answer = client.get("/v1/system", headers=headers)
    assert answer.status_code == 200
    state: dict[str, Any] | None = answer.json
    assert state
    return state


def whats(state: dict[str, Any]) -> str:
    return " ".join(finding["what"] for finding in state["findings"])


@contextmanager
def opened(facts: Facts = FACTS, *, open_without_keys: bool = True) -> Iterator[Tier]:
    tier = open_tier(facts=facts, open_without_keys=open_without_keys)
    try:
        yield tier
    finally:
        tier.close()


def face(face_id: str) -> EnrolledFace:
    return EnrolledFace(
        id=face_id,
        person_id="",
        vector=np.full(4, 0.5, np.float32),
        model="other-model",
        crop=None,
        landmarks=np.zeros((5, 2), np.float32),
        source="photo.jpg",
        digest="",
        quality=QUALITY,
        created=0.0,
    )


def test_models_are_told_with_their_licenses(tmp_path: Path) -> None:
    settings = load_settings({}, home=tmp_path)
    facts = facts_of(settings, open_keyring(settings), lambda: open_gallery(settings.gallery_url, create=True))
    with opened(facts) as tier:
        answer = tier.app.test_client().get("/v1/models").json
    models = {model["name"]: model for model in (answer or {})["models"]}
    assert {"mtcnn", "resnet", "yunet", "retail-0095"} <= set(models)
    assert models["resnet"]["license"] == "CC0-1.0"
    assert models["resnet"]["in_use"]
    assert models["resnet"]["installed"]
    assert models["mtcnn"]["in_use"]  # YuNet's file is not in this home
    assert not models["yunet"]["installed"]
    assert not models["yunet"]["in_use"]
    assert models["retail-0095"]["source"]


def test_the_stores_are_counted(tier: Tier, client: FlaskClient) -> None:
    tier.inputs.put("a/0", b"12345")
    tier.inputs.put("a/ticket.json", b"123")
    tier.outputs.put("a/result.json", b"12")
    assert system(client)["storage"] == {
        "inputs": {"objects": 2, "bytes": 8},
        "outputs": {"objects": 1, "bytes": 2},
    }
    tier.inputs.put("b/0", b"12345")
    assert system(client)["storage"]["inputs"] == {"objects": 2, "bytes": 8}  # it is not counted anew at every call


def test_queue_and_fleet(tier: Tier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    tier.queue.depth_now = Depth(7, 2, 3.5)
    monkeypatch.setattr(tier.queue, "dead", lambda limit=100: [DeadLetter("1", "", "", 3, now)])
    fleet = {"size": 2, "wanted": 3, "max": 4, "service": 0.1, "at": now}
    tier.outputs.put("fleet.json", json.dumps(fleet).encode())
    report = {"jobs": 5, "busy": 1.5, "ready": 0.1, "at": now}
    tier.outputs.put("workers/one.json", json.dumps(report).encode())
    tier.outputs.put("workers/old.json", json.dumps({**report, "at": now - 90_000}).encode())
    tier.outputs.put("workers/other.json", b'{"jobs": "many"}')
    state = system(client)
    assert state["queue"] == {"waiting": 7, "in_flight": 2, "oldest": 3.5, "dead": 1}
    assert state["fleet"] == {
        "workers": 2,
        "wanted": 3,
        "max": 4,
        "reports": [{"name": "one", "jobs": 5, "busy": 1.5, "at": now}],
    }
    assert "put aside" in whats(state)
    assert "no autoscaler" not in whats(state)


def test_jobs_that_wait_for_nobody_are_a_problem(tier: Tier, client: FlaskClient) -> None:
    tier.queue.depth_now = Depth(1, 0, 100.0)
    assert "no autoscaler" in whats(system(client))


def test_what_does_not_answer_is_said_without_its_insides(tier: Tier, client: FlaskClient) -> None:
    tier.queue.down = tier.inputs.down = tier.outputs.down = True
    state = system(client)
    assert state["queue"] is None
    assert state["fleet"] is None
    assert state["storage"] == {"inputs": None, "outputs": None}
    assert "queue does not answer" in whats(state)
    assert "/secret" not in json.dumps(state)


def test_keys_are_for_admins() -> None:
    made: list[Key] = []
    facts = dataclasses.replace(FACTS, all_keys=lambda: made)
    with opened(facts, open_without_keys=False) as tier:
        client = tier.app.test_client()
        _, reader = tier.keyring.create("Reader", Role.READ)
        _, admin = tier.keyring.create("Admin", Role.ADMIN)
        assert client.get("/v1/system").status_code == 401
        assert client.get("/v1/models").status_code == 401
        assert system(client, **{"X-API-Key": reader})["keys"] is None
        tier.keyring.revoke("Reader")
        made += tier.keyring.list()
        state = system(client, **{"X-API-Key": admin})
    assert [(key["name"], key["role"], key["revoked"] is None) for key in state["keys"]] == [
        ("Reader", "read", False),
        ("Admin", "admin", True),
    ]
    assert not {"hash", "secret"} & set(state["keys"][0])


def test_findings_of_the_house_come_first() -> None:
    found = Finding(Level.PROBLEM, "The roof leaks.", "Mend it.")
    with opened(dataclasses.replace(FACTS, check=lambda: [found])) as tier:
        state = system(tier.app.test_client())
    assert state["findings"][0] == {"level": "problem", "what": "The roof leaks.", "remedy": "Mend it."}
    assert "no API keys" in whats(state)


def test_a_checkup_of_a_new_home(tmp_path: Path) -> None:
    settings = load_settings({}, home=tmp_path)
    with closing(open_gallery(settings.gallery_url, create=True)) as gallery:
        people = check_people(settings, gallery)
    assert (people.people, people.faces, people.findings) == (0, 0, [])
    assert check_models(settings) == []
    assert check_disk(settings) == []


def test_models_that_are_missing_are_found(tmp_path: Path) -> None:
    missing = check_models(load_settings({}, home=tmp_path, embedder="retail-0095"))
    assert [finding.remedy for finding in missing] == ["visage models fetch retail-0095"]
    unknown = check_models(load_settings({}, home=tmp_path, embedder="nonesuch"))
    assert "nonesuch" in unknown[0].what


def test_the_gallery_is_counted_and_its_model_checked(tmp_path: Path) -> None:
    settings = load_settings({}, home=tmp_path)
    with closing(open_gallery(settings.gallery_url, create=True)) as gallery:
        for number, name in enumerate(["Ada", "Grace", "Ada"]):
            gallery.add("elsewhere", name, face(f"{number:032x}"))
        gallery.add("default", "Ada", face(f"{9:032x}"))
        facts = facts_of(settings, open_keyring(settings), lambda: gallery)
        people = check_people(settings, gallery)
        assert "other-model" in people.findings[0].what
        tier = open_tier(facts=facts, gallery=gallery)
        try:
            state = system(tier.app.test_client())
        finally:
            tier.close()
    assert state["collections"] == [
        {"name": "default", "people": 1, "faces": 1, "model": "other-model"},
        {"name": "elsewhere", "people": 2, "faces": 3, "model": "other-model"},
    ]
    assert "visage people migrate" in state["findings"][0]["remedy"]


def test_what_is_remembered_is_found_out_once() -> None:
    now, calls = [0.0], itertools.count(1)
    known = Remembered(lambda: next(calls), 60.0, clock=lambda: now[0])
    assert [known(), known()] == [1, 1]
    now[0] = 61.0
    assert known() == 2


def test_what_takes_too_long_is_not_waited_for() -> None:
    go = threading.Event()
    known = Remembered(lambda: "found" if go.wait(5) else "late", 60.0, patience=0.01)
    assert known() is None
    go.set()
    deadline = time.monotonic() + 5
    while known() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert known() == "found"


def test_what_fails_is_tried_again_soon() -> None:
    now, tries = [0.0], itertools.count()

    def read() -> str:
        if next(tries) == 0:
            raise StorageError("gone")
        return "found"

    known = Remembered(read, 60.0, clock=lambda: now[0])
    assert [known(), known()] == [None, None]
    now[0] = 6.0
    assert known() == "found"
