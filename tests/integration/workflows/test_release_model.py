"""Flow 6: the rollout runs against a stand-in for the cluster's API and one for Prometheus, with steps that are held for a moment only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from serving.cluster.deployment import ReleaseAt, release_of
from tests.samples.kubernetes_api_stand_in import ClusterApi, kubernetes_api
from tests.samples.prometheus_stand_in import Behaviour, PrometheusApi, prometheus_api
from tests.samples.workflow_files import GITHUB, read
from tests.samples.workflow_runner import StepFailed, WorkflowRunner
from tests.samples.workflow_world import World

(ROLLOUT,) = [
    step["run"]
    for step in read((GITHUB / "workflows" / "release-model.yml").read_text(encoding="utf-8"))["jobs"][
        "roll-out"
    ]["steps"]
    if step.get("name") == "roll out"
]
QUICK = ROLLOUT.replace("--steps 10,25,50", "--steps 50 --hold-s 0.01 --available-s 60")
OLD, NEW = ("0" * 64, "1" * 64)


def name_of(checksum: str) -> str:
    return f"r-{checksum[:12]}"


@contextmanager
def rolling_out(
    world: World, canary: Behaviour, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[WorkflowRunner, ClusterApi]]:
    """A runner before a cluster that serves OLD, on which NEW will behave like `canary`."""
    cluster = ClusterApi(ReleaseAt(name_of(OLD), OLD, f"gs://bucket/releases/{name_of(OLD)}"))
    prometheus = PrometheusApi(cluster, {name_of(OLD): Behaviour(), name_of(NEW): canary})
    with kubernetes_api(cluster, folder) as kubeconfig, prometheus_api(prometheus) as address:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        here = replace(world, prometheus=address)
        yield here.runner(f"release-{folder.name}", {"serving": ""}, {}, {ROLLOUT: QUICK}), cluster


def serves(cluster: ClusterApi) -> list[str]:
    return [release_of(one).release for one in cluster.object["spec"]["predictors"]]


def test_a_good_release_is_promoted_and_the_run_is_green(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rolling_out(world, Behaviour(), tmp_path, monkeypatch) as (runner, cluster):
        runner.run("release-model.yml", {"release": name_of(NEW), "checksum": NEW})
        assert serves(cluster) == [name_of(NEW)]
    assert [ran.said.strip() for ran in runner.ran][-1] == "promoted"


def test_a_release_that_was_rolled_back_leaves_the_run_red(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rolling_out(world, Behaviour(fails=0.2), tmp_path, monkeypatch) as (runner, cluster):
        with pytest.raises(StepFailed, match="outcome is 'rolled back' and not 'promoted'"):
            runner.run("release-model.yml", {"release": name_of(NEW), "checksum": NEW})
        assert serves(cluster) == [name_of(OLD)]
