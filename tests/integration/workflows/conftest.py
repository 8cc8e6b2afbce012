"""One small world for the flows of a module, and Kubeflow's API on staging and in production."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from pedalflow.command.runtimes import python_of
from pedalflow.errors import EnvironmentMissing
from tests.samples.cloud_build_runner import run_build
from tests.samples.kfp_api_process import KfpProcess, Thing, kfp_process
from tests.samples.outside_programs import KUBECTL
from tests.samples.workflow_runner import Ran
from tests.samples.workflow_world import World, make_world

LOOKS_EVERY_S = 0.2


class Flows:
    """Runs workflows in a world. Every run that one of them starts on Kubeflow comes to a good end soon."""

    def __init__(self, world: World, staging: KfpProcess, production: KfpProcess) -> None:
        self.world, self.staging, self.production = world, staging, production

    def run(
        self,
        workflow: str,
        payload: Mapping[str, object] | None = None,
        smaller: Mapping[str, str] | None = None,
        attempt: str = "1",
    ) -> list[Ran]:
        """Run a workflow; what ran."""
        production = self.production.address
        hosts = {
            "staging": self.staging.address,
            "production": production,
            "retraining": production,
            "serving": "",  # a project without Kubeflow
        }
        name = f"{workflow}-{len(list(self.world.place.iterdir()))}"
        runner = self.world.runner(name, hosts, payload or {}, smaller or {}, attempt)
        with runs_succeed(self.staging, self.production):
            runner.run(workflow)
        return runner.ran

    def build(
        self, file: str, substitutions: Mapping[str, str], smaller: Mapping[str, str] | None = None
    ) -> list[Ran]:
        """Run a build of Google Cloud Build, against staging unless the substitutions say otherwise; what ran."""
        kept = {"_KFP_HOST": self.staging.address, "_KFP_NAMESPACE": "", "_SPANS": "gs://bucket/spans"}
        kept |= {"_REGISTRY": self.world.mlflow, "_DVC_REMOTE": str(self.world.place / "dvc-remote")}
        runner = self.world.runner(f"build-{len(list(self.world.place.iterdir()))}", {}, {}, smaller or {})
        with runs_succeed(self.staging, self.production):
            return run_build(runner.place / "workspace", file, runner.edge, kept | substitutions)

    def runs(self) -> list[Thing]:
        """The runs in production, the oldest first."""
        runs: list[Thing] = self.production.tell()["runs"]
        return runs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    if not KUBECTL.exists():
        pytest.skip(
            "there is no kubectl to make manifests with; build it with: make setup ENVIRONMENTS=delivery"
        )
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def flows(world: World) -> Iterator[Flows]:
    try:
        python = python_of("triggers")
    except EnvironmentMissing as error:
        pytest.skip(f"the stand-in for Kubeflow needs it: {error}")
    with kfp_process(python) as staging, kfp_process(python) as production:
        yield Flows(world, staging, production)


@contextmanager
def runs_succeed(*servers: KfpProcess) -> Iterator[None]:
    """While the block runs, every run that was started ends well soon, so that `--wait` has something to wait for."""
    over = threading.Event()

    def finish() -> None:
        while not over.wait(LOOKS_EVERY_S):
            for server in servers:
                for run in server.tell()["runs"]:
                    if run["state"] == "PENDING":
                        server.tell(state=[run["run_id"], "SUCCEEDED", {}])

    thread = threading.Thread(target=finish)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
