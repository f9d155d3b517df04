"""visage queue, as a user runs it."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

from tests.core.service_fakes import Service, asked
from tests.doors.conftest import Done, Visage
from tests.doors.schemas import SCHEMAS
from visage.core.tickets import Ticket, result_key, ticket_from_text, ticket_to_text, try_key

REASON = "the job ended its worker 3 times while it was performed alone"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(Service(tmp_path)) as opened:
        yield opened


@pytest.fixture
def queue(visage: Visage, tmp_path: Path) -> Visage:
    """`visage queue` at the service's folder."""
    places = {"VISAGE_INPUTS": f"file://{tmp_path}/inputs", "VISAGE_OUTPUTS": f"file://{tmp_path}/outputs"}

    def run(*words: object, **variables: str) -> Done:
        return visage("queue", *words, "--queue", f"sqlite:///{tmp_path}/queue.sqlite", **{**places, **variables})

    return run


def checked(done: Done, command: str) -> Done:
    assert done.code == 0, done.err
    jsonschema.validate(done.json, SCHEMAS[command])
    return done


def bury(service: Service, name: str = "secret.jpg") -> Ticket:
    """A job that was put aside, as a worker does it."""
    ticket = service.reception.submit(asked("ada", name=name))
    (delivery,) = service.queue.receive(1, 1.0)
    for number in (1, 2, 3):
        service.outputs.put(try_key(ticket.id, number), b"")
    service.outputs.put(result_key(ticket.id), json.dumps({"id": ticket.id, "status": "failed"}).encode())
    assert service.queue.bury(delivery.receipt, REASON)
    return ticket


def bury_a_stranger(service: Service, body: str = "hello\n\x1b[31mworld") -> None:
    service.queue.send(body)
    (delivery,) = service.queue.receive(1, 1.0)
    assert service.queue.bury(delivery.receipt, "the message is no ticket")


def test_show(queue: Visage, service: Service) -> None:
    nothing = {"waiting": 0, "in_flight": 0, "oldest": None, "dead": 0}
    assert checked(queue("show", "--json"), "queue show").json == nothing
    bury(service)
    for _ in range(3):
        service.reception.submit(asked("bo"))
    service.queue.receive(1, 1.0)
    shown = checked(queue("show", "--json"), "queue show").json
    assert shown["oldest"] >= 0
    assert {**shown, "oldest": None} == {"waiting": 2, "in_flight": 1, "oldest": None, "dead": 1}
    assert re.fullmatch(
        r"waiting    2, the oldest for \d+\.\d s\nin hand    1\nput aside  1: visage queue dead list\n",
        queue("show").out,
    )


def test_the_dead_are_listed_with_their_reasons(queue: Visage, service: Service) -> None:
    assert checked(queue("dead", "list", "--json"), "queue dead list").json == {"dead": []}
    ticket = bury(service)
    bury_a_stranger(service)
    first, second = checked(queue("dead", "list", "--json"), "queue dead list").json["dead"]
    assert (first["reason"], first["count"], second["reason"], second["job"]) == (
        REASON, 1, "the message is no ticket", None,
    )  # fmt: skip
    assert first["job"] == {
        "id": ticket.id, "kind": "recognize", "collection": "default", "files": 1, "request": "req", "owner": "me",
        "created": pytest.approx(ticket.created, abs=0.001),
    }  # fmt: skip
    lines = queue("dead", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", first["id"], second["id"]]
    assert re.search(rf" \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d +1 +recognize +{ticket.id} +{REASON}$", lines[1])
    assert re.search(r" +no job +the message is no ticket$", lines[2])


def test_one_is_shown_by_its_id_or_its_jobs(queue: Visage, service: Service) -> None:
    ticket = bury(service)
    by_job = checked(queue("dead", "show", ticket.id, "--json"), "queue dead show")
    by_id = checked(queue("dead", "show", by_job.json["id"], "--json"), "queue dead show")
    assert by_job.json == by_id.json
    assert by_job.json["job"]["id"] == ticket.id
    assert len(by_job.json["tries"]) == 3
    assert by_job.json["message"] is None
    shown = queue("dead", "show", ticket.id)
    for fact in (ticket.id, REASON, "recognize", "req", "me"):
        assert fact in shown.out
    assert len(re.findall(r"\d\d:\d\d:\d\d", shown.out)) == 5  # died, created, tried three times
    assert "secret.jpg" not in shown.out + by_job.out


def test_what_is_no_job_is_shown_and_replayed_as_it_is(queue: Visage, service: Service) -> None:
    bury_a_stranger(service)
    (letter,) = service.queue.dead()
    shown = checked(queue("dead", "show", letter.id, "--json"), "queue dead show").json
    assert (shown["job"], shown["tries"], shown["message"]) == (None, [], "hello\n\x1b[31mworld")
    text = queue("dead", "show", letter.id).out
    assert "\x1b" not in text
    assert r"hello\n\x1b[31mworld" in text
    assert checked(queue("dead", "replay", letter.id, "--json"), "queue dead replay").json == {"replayed": 1}
    (delivery,) = service.queue.receive(1, 1.0)
    assert delivery.body == "hello\n\x1b[31mworld"


def test_replaying_makes_a_job_be_performed_again(queue: Visage, service: Service) -> None:
    ticket, other = bury(service), bury(service)
    assert queue("dead", "replay", ticket.id).out == "1 message sent again\n"
    assert list(service.outputs.list(ticket.id)) == []
    assert len(list(service.outputs.list(other.id))) == 4
    (delivery,) = service.queue.receive(10, 1.0)
    assert (delivery.body, delivery.count) == (ticket_to_text(ticket), 1)
    assert service.inputs.get(f"{ticket.id}/0") == b"ada"
    assert [ticket_from_text(letter.body) for letter in service.queue.dead()] == [other]


def test_replaying_all(queue: Visage, service: Service) -> None:
    tickets = [bury(service) for _ in range(3)]
    bury_a_stranger(service)
    service.outputs.put(result_key(tickets[2].id), b'{"status": "done"}')
    assert checked(queue("dead", "replay", "--all", "--json"), "queue dead replay").json == {"replayed": 4}
    assert len(service.queue.receive(10, 1.0)) == 4
    assert [stored.key for stored in service.outputs.list()] == [result_key(tickets[2].id)]  # an answer stays
    assert queue("dead", "replay", "--all").out == "0 messages sent again\n"


def test_wrong_usage(queue: Visage, service: Service) -> None:
    ticket = bury(service)
    for words, why in (
        (["dead", "replay"], "or give --all"),
        (["dead", "replay", "1", "--all"], "or give --all"),
        (["dead", "show"], "Missing argument"),
        (["dead", "show", "77"], "there is no dead letter '77'"),
        (["dead", "show", ""], "there is no dead letter ''"),
        (["dead", "replay", ticket.id, "77"], "there is no dead letter '77'"),
    ):
        done = queue(*words)
        assert (done.code, done.out) == (2, "")
        assert why in done.err
    assert len(service.queue.dead()) == 1
    assert len(list(service.outputs.list(ticket.id))) == 4


def test_the_empty_word_is_no_strangers_id(queue: Visage, service: Service) -> None:
    bury_a_stranger(service)
    assert queue("dead", "replay", "").code == 2
    assert len(service.queue.dead()) == 1


def test_trouble(visage: Visage, queue: Visage, service: Service, tmp_path: Path) -> None:
    for words in (["show"], ["dead", "list"]):
        assert visage("queue", *words, "--queue", "ftp://x").code == 2
        assert visage("queue", *words, "--queue", f"sqlite:///{tmp_path}").code == 2
        broken = tmp_path / "broken.sqlite"
        broken.write_text("no database" * 100)
        done = visage("queue", *words, "--queue", f"sqlite:///{broken}")
        assert done.code == 1
        assert "damaged, or not a queue" in done.err
    ticket = bury(service)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ticket.id).symlink_to(tmp_path)  # it may lead out of the store
    done = queue("dead", "replay", ticket.id, VISAGE_OUTPUTS=f"file://{tmp_path}/elsewhere")
    assert (done.code, done.out) == (1, "")
    assert len(service.queue.dead()) == 1  # nothing was sent


@pytest.mark.parametrize(
    "command", [["show"], ["dead"], ["dead", "list"], ["dead", "show"], ["dead", "replay"]], ids=" ".join
)
def test_help(visage: Visage, command: list[str]) -> None:
    done = visage("queue", *command, "--help")
    assert done.code == 0
    assert len(done.out) > 300
