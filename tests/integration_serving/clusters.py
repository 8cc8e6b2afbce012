"""Rollouts on a simulated cluster for tests: the world around the command, and what must hold of it at any moment."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pedalflow.command.outermost import outermost
from pedalflow.errors import RunFailed
from pedalflow.release import ONNX_MODEL, Release, seal
from pedalflow.workspace import Workspace
from serving.cluster.deployment import ReleaseAt, release_of
from serving.cluster.pace import Pace
from serving.cluster.under_way import UNDER_WAY, Phase, under_way
from serving.rollout_command import main
from tests.samples.kubernetes_api_stand_in import ClusterApi, kubernetes_api
from tests.samples.prometheus_stand_in import Behaviour, PrometheusApi, prometheus_api

FAST = Pace(poll_s=0.005, retry_s=0.005, longest_retry_s=0.02, give_up_s=0.5)
TERMS = ("--hold-s", "0.01", "--available-s", "30", "--patience-s", "120")


@dataclass
class World:
    """A cluster with Prometheus and a registry, and a workspace with two releases: `old` serves, `new` is to be rolled out."""

    workspace: Workspace
    old: Release
    new: Release
    cluster: ClusterApi
    prometheus: PrometheusApi
    kubeconfig: Path
    address: str
    refuses: bool = False
    pace: Pace = FAST

    def rollout(self, *arguments: str, cluster: tuple[str, ...] = ("--cluster",)) -> int:
        """The command, in this process; returns its exit code."""
        os.environ["KUBECONFIG"] = str(self.kubeconfig)
        promote = partial(registered, self.refuses)
        options = (*TERMS, "--prometheus", self.address)
        argv = ["--workspace", str(self.workspace.root), *options, *arguments, *cluster]
        return outermost(partial(main, promote=promote, pace=self.pace), argv)

    def killed_at(self, number: int, *arguments: str, by: int = signal.SIGKILL) -> int | None:
        """The command in a process of its own that gets a signal when its so-many-th call is done, before it hears of it; its exit code."""
        process = get_context("fork").Process(target=lambda: os._exit(self.rollout(*arguments)))
        count = 0

        def at_call(_: int) -> None:
            nonlocal count
            count += 1
            if count == number and process.pid:
                os.kill(process.pid, by)

        self.cluster.at_call = at_call
        process.start()
        process.join(60)
        if process.is_alive():
            process.kill()
            process.join()
        self.cluster.at_call = lambda _: None
        return process.exitcode

    @property
    def serves(self) -> dict[str, str]:
        """The releases by predictor, as the object says."""
        return {one["name"]: release_of(one).release for one in self.cluster.object["spec"]["predictors"]}

    @property
    def registry(self) -> list[str]:
        """The releases that the registry was told of, in this order."""
        path = self.workspace.state / "registry"
        return path.read_text(encoding="utf-8").split() if path.exists() else []

    def record(self) -> dict[str, Any]:
        """The record that was kept last."""
        path = max(self.workspace.rollouts.iterdir(), key=lambda kept: kept.stat().st_mtime_ns)
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record

    def check_over(self, release: Release) -> None:
        """A release serves alone, all of it is up, everybody knows, and nothing of a rollout is left."""
        assert self.serves == {"main": release.name}
        assert self.cluster.routed == {"main": 100}
        assert set(self.cluster.made) == {"main"}
        assert UNDER_WAY not in self.cluster.object["metadata"]["annotations"]
        assert {told.release for told in self.cluster.followers.values()} == {release.name}
        self.check_history()

    def check_history(self) -> None:
        """What must hold of every state that was ever written."""
        for state in self.cluster.history:
            check_state(state)


def check_state(state: dict[str, Any]) -> None:
    """One main first, a canary only while a rollout is under way, shares that add up to 100, nothing else touched."""
    predictors = state["spec"]["predictors"]
    names = [one["name"] for one in predictors]
    rollout = under_way(state)
    assert names == (["main", "canary"] if rollout else ["main"])
    assert sum(one["traffic"] for one in predictors) == 100
    assert state["metadata"]["annotations"]["kept"] == "as it is"
    for one in predictors:
        assert one["replicas"] == 2 and one["componentSpecs"][0]["hpaSpec"] == {
            "minReplicas": 2,
            "maxReplicas": 6,
        }
        assert one["labels"]["version"] == one["name"]
    if rollout:
        main, canary = (release_of(one) for one in predictors)
        promoted = rollout.phase not in (Phase.STARTING, Phase.SHARING)
        assert canary == rollout.candidate
        assert main == (rollout.candidate if promoted else rollout.champion)
        assert predictors[1]["traffic"] == rollout.share


def registered(refuses: bool, workspace: Workspace, name: str) -> None:
    """What stands for `pedalflow promote`."""
    if refuses:
        raise RunFailed(f"{name} was judged against another champion")
    with (workspace.state / "registry").open("a", encoding="utf-8") as file:
        file.write(f"{name}\n")


@contextmanager
def world(folder: Path, canary: Behaviour | None = None, **settings: Any) -> Iterator[World]:
    """A world whose new release behaves like `canary`; `settings` are those of the cluster."""
    workspace = Workspace(folder / "workspace")
    workspace.releases.mkdir(parents=True)
    old, new = (_release(workspace, name) for name in ("old", "new"))
    cluster = ClusterApi(at(old), **settings)
    prometheus = PrometheusApi(cluster, {old.name: Behaviour(), new.name: canary or Behaviour()})
    with kubernetes_api(cluster, folder) as kubeconfig, prometheus_api(prometheus) as address:
        yield World(workspace, old, new, cluster, prometheus, kubeconfig, address)


def at(release: Release) -> ReleaseAt:
    """Where a release lies for pods."""
    return ReleaseAt(release.name, release.checksum, f"s3://pipelines/releases/{release.name}")


def _release(workspace: Workspace, content: str) -> Release:
    draft = workspace.releases / "draft"
    draft.mkdir()
    (draft / ONNX_MODEL).write_text(content, encoding="utf-8")
    sealed = seal(draft, {})
    folder = workspace.releases / sealed.name
    draft.rename(folder)
    return Release(folder, sealed.name, sealed.checksum, sealed.facts)
