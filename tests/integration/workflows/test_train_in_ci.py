"""Flow 7: the model is trained in the job itself, and what comes out reaches the rollout whole.

The rollout needs a cluster: here its command only shows what it is called with (`test_release_model.py` runs it).
"""

from __future__ import annotations

import pytest

from pedalflow.release import open_release
from tests.integration.workflows.conftest import Flows
from tests.samples.workflow_files import GITHUB, read
from tests.samples.workflow_runner import Ran

(ROLLOUT,) = [
    step["run"]
    for step in read((GITHUB / "workflows" / "release-model.yml").read_text())["jobs"]["roll-out"]["steps"]
    if step.get("name") == "roll out"
]


@pytest.fixture(scope="module")
def trained(flows: Flows) -> list[Ran]:
    shown = 'printf "%s " "$RELEASE" "$CHECKSUM" "$RELEASES/$RELEASE" && ls "state/releases/$RELEASE/manifest.json"'
    promoted = """printf '{"outcome": "promoted"}' > "$RUNNER_TEMP/rollout.json\""""
    return flows.run("train-in-ci.yml", smaller={ROLLOUT: f"{shown} && {promoted}"})


def test_the_release_is_rolled_out_by_its_name_its_checksum_and_its_place(
    flows: Flows, trained: list[Ran]
) -> None:
    (rollout,) = [ran for ran in trained if ran.step == "roll out"]
    name, checksum, place, manifest = rollout.said.split()
    assert place == f"gs://bucket/releases/{name}"
    stored = open_release(flows.world.buckets / "bucket" / "releases" / name, name)
    assert stored.checksum == checksum
    assert manifest == f"state/releases/{name}/manifest.json"


def test_the_report_and_the_metrics_are_kept(flows: Flows, trained: list[Ran]) -> None:
    report = flows.world.artifacts / "report"
    assert (report / "build" / "metrics" / "metrics.json").is_file()
    assert list((report / "state" / "reports").glob("*.html"))
