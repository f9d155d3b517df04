"""DELETE /v1/people and /v1/faces where the serverless form has a stage."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.core.schedules import Lambda
from tests.core.service_fakes import enroll_both
from tests.web.fakes import open_tier
from visage.core.serverless.staging import erased_key
from visage.core.serverless.unstage import Stage


@pytest.mark.parametrize("what", ["people", "faces"])
def test_what_lies_in_the_stage_goes_and_is_counted(tmp_path: Path, what: str) -> None:
    """faces: with the last one its person goes, and so does all that is theirs."""
    enroll_both(tmp_path)
    world = Lambda(tmp_path, 1)
    world.upload("clip.mp4", ["ada"] * 4)
    world.upload("still.mp4", ["nobody"] * 4)
    world.run()
    stage, outputs = world.stores.stage, world.stores.outputs
    person = world.gallery.person("default", "Ada")
    (face,) = world.gallery.faces("default", person.id)
    before = {stored.key for stored in stage.list() if stored.key.startswith("still.mp4/")}
    results = {stored.key: outputs.get(stored.key) for stored in outputs.list()}
    with closing(open_tier(gallery=world.gallery, stages=[Stage(stage, outputs, 0.0)])) as tier:
        response = tier.app.test_client().delete(f"/v1/{what}/{person.id if what == 'people' else face.id}")
    assert response.json == {"erased": {"faces": 1, "crops": 0, "jobs": 0, "uploads": 1, "results": 1}}
    assert {stored.key for stored in stage.list()} == before | {erased_key()}
    assert {stored.key: outputs.get(stored.key) for stored in outputs.list()} == results
