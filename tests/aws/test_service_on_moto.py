"""The service as it stands on AWS, its tiers in processes of their own, on the stand-in for SQS, S3 and Auto Scaling.

Queue, stores, keys and the people that workers know are nowhere else; the gallery that is published is a file.
"""

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from tests.aws.groups import instances, make_group
from tests.aws.moto_server import aws_server, environment, make_queues
from tests.core.many import zipped
from tests.doors.service import LONG, Service, Site, site_in
from tests.processes.workers import soon
from visage import open_engine
from visage.wiring import open_objects, open_queue

OBAMA, BIDEN = "Barack Obama", "Joe Biden"
PREFIX = f"test-{uuid.uuid4().hex[:8]}"
GROUP = f"{PREFIX}-app-tier"
PEOPLE = f"s3://{PREFIX}-bucket/people/gallery.sqlite"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, home: Path, samples: Path) -> Iterator[Site]:
    """Everything that the template would make, and two people published."""
    with aws_server() as address:
        store = boto3.client("s3")
        for name in ("in", "out", "bucket"):
            store.create_bucket(Bucket=f"{PREFIX}-{name}")
        store.close()
        make_queues(PREFIX)
        make_group(GROUP, 5)
        places = {
            "VISAGE_QUEUE": f"sqs://{PREFIX}-req-queue",
            "VISAGE_INPUTS": f"s3://{PREFIX}-in",
            "VISAGE_OUTPUTS": f"s3://{PREFIX}-out",
            "VISAGE_KEYS": f"s3://{PREFIX}-bucket/keys",
            "VISAGE_LEASE": "3",
        }
        with site_in(tmp_path_factory.mktemp("aws"), home, **places, **environment(address)) as made:
            with open_engine(made.settings) as registrar:
                registrar.enroll(str(samples / "obama.jpg"), OBAMA)
                registrar.enroll(str(samples / "biden.jpg"), BIDEN)
            made.visage("gallery", "publish", PEOPLE)
            yield made


def test_many_photos_as_one_job(site: Site, samples: Path) -> None:
    """Parts go through the buckets and the queue like any job, and none of them is left."""
    web = Service(site.start("web", "--port", "0"))
    key = site.visage("keys", "create", "adder", "--role", "enroll").strip()
    bearer = {"Authorization": f"Bearer {key}"}
    worker = site.start("worker")
    photos = {f"people/P{number:02}/me.jpg": (samples / "biden.jpg").read_bytes() for number in range(20)}
    sent = web.ask("/v1/bulk?collection=many", zipped(photos), Content_Type="application/zip", **bearer)
    assert sent.status == 202, sent.text
    done = web.job(sent.headers["Location"], **bearer)
    assert done["report"]["outcomes"] == {"enrolled": 20}
    inputs, outputs = (open_objects(url) for url in (site.settings.inputs_url, site.settings.outputs_url))
    assert [stored.key for stored in inputs.list(done["id"])] == [f"{done['id']}/ticket.json"]
    assert [stored.key for stored in outputs.list(done["id"])] == [f"{done['id']}/result.json"]
    with closing(open_queue(site.settings)) as queue:
        assert soon(lambda: queue.depth().waiting + queue.depth().in_flight == 0, LONG)
    web.ask(sent.headers["Location"], None, "DELETE", **bearer)
    assert (worker.end(), web.process.end()) == (0, 0)


def test_from_a_request_to_an_instance_to_an_answer(site: Site, samples: Path) -> None:
    web = Service(site.start("web", "--port", "0"))
    autoscaler = site.start("autoscale", "--fleet", f"asg:{GROUP}", "--quiet", "1")
    assert web.ask("/readyz").status == 200
    key = site.visage("keys", "create", "camera").strip()
    assert soon(lambda: web.ask("/metrics").status == 401)
    bearer = {"Authorization": f"Bearer {key}"}

    early = web.send("/v1/recognize", samples / "obama2.jpg", Prefer="respond-async", **bearer)
    assert early.status == 202
    assert soon(lambda: len(instances(GROUP)) == 1, LONG)  # jobs wait, and nobody works

    worker = site.start("worker", VISAGE_GALLERY=PEOPLE)  # what the instance would run
    assert web.job(early.headers["Location"], **bearer)["answer"]["names"] == [OBAMA]
    assert web.name(samples / "biden.jpg", **bearer) == BIDEN
    again = [web.send("/", samples / "obama3.jpg", Idempotency_Key="once", **bearer) for _ in range(2)]
    assert [reply.text for reply in again] == [f"obama3:{OBAMA}"] * 2
    assert len(site.results()) == 3

    with closing(open_queue(site.settings)) as queue:
        queue.send("none of ours")
        assert soon(lambda: worker.says("a message that is none of ours was put aside") == 1)
        (letter,) = queue.dead()
        assert letter.body == "none of ours"
        assert letter.reason.startswith("the message is no ticket")

    site.visage("people", "remove", BIDEN)
    site.visage("gallery", "publish", PEOPLE)
    assert soon(lambda: web.name(samples / "biden.jpg", **bearer) == "unknown", LONG)
    assert soon(lambda: not instances(GROUP), LONG)  # and it is quiet
    assert [process.end() for process in (worker, web.process, autoscaler)] == [0, 0, 0]
    assert key not in web.process.log.read_text()


def test_what_a_killed_worker_had_in_hand_is_done_by_the_next(site: Site, samples: Path) -> None:
    bearer = {"Authorization": f"Bearer {site.visage('keys', 'create', 'door').strip()}"}
    web = Service(site.start("web", "--port", "0"))
    asked = [web.send("/v1/recognize", samples / "obama2.jpg", Prefer="respond-async", **bearer) for _ in range(4)]
    first = site.start("worker", VISAGE_GALLERY=PEOPLE)
    with closing(open_queue(site.settings)) as queue:
        assert soon(lambda: queue.depth().in_flight > 0, LONG)
        first.kill()
        assert queue.depth().waiting + queue.depth().in_flight > 0
        second = site.start("worker", VISAGE_GALLERY=PEOPLE)
        found = [web.job(reply.headers["Location"], **bearer) for reply in asked]
        assert [state["answer"]["names"] for state in found] == [[OBAMA]] * 4
        assert not [letter for letter in queue.dead() if letter.body != "none of ours"]
    assert second.end() == 0
