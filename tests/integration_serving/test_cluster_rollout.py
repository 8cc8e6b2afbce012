"""Rollouts on a cluster over real HTTP: good releases and bad ones, a cluster that misbehaves, and a command that is killed anywhere."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pedalflow.command import exits
from serving.cluster import api
from serving.cluster.api import CALLS
from serving.cluster.deployment import ReleaseAt, annotations_of, release_of
from tests.integration_serving.clusters import FAST, World, at, world
from tests.samples.kubernetes_api_stand_in import BREAK, BREAK_BEFORE, TOKEN
from tests.samples.prometheus_stand_in import Behaviour

ROOT = Path(__file__).parents[2]
ROLE = ROOT / "k8s" / "base" / "serving" / "rollout-role.yaml"


@pytest.fixture
def good(tmp_path: Path) -> Iterator[World]:
    """A world whose new release is as good as the old one."""
    with world(tmp_path) as made:
        yield made


def test_a_good_release_is_promoted_step_by_step(good: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert good.rollout("--json", good.new.name) == 0
    good.check_over(good.new)
    shares = [state["spec"]["predictors"][-1]["traffic"] for state in good.cluster.history]
    assert shares == [100, 0, 10, 25, 50, 50, 50, 50, 100]
    assert good.registry == [good.new.name]
    record = json.loads(capsys.readouterr().out)
    assert (record["outcome"], record["champion"]["release"]) == ("promoted", good.old.name)
    assert min(record["champion"]["rows"], record["canary"]["rows"]) >= 72
    assert record["calls"]["asked"] > 0 and record["latencies"]["canary"] == {"p95_s": 0.02, "p99_s": 0.02}
    assert good.record() == record
    assert good.cluster.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        (Behaviour(fails=0.2), "the canary failed"),
        (Behaviour(p95_s=0.5), "the canary is slow"),
        (Behaviour(wape=0.6), "the canary is clearly worse"),
    ],
)
def test_a_bad_release_is_rolled_back(tmp_path: Path, canary: Behaviour, said: str) -> None:
    with world(tmp_path, canary) as bad:
        assert bad.rollout(bad.new.name) == 0
        bad.check_over(bad.old)
        assert bad.record()["outcome"] == "rolled back" and said in bad.record()["reason"]
        assert bad.registry == []


@pytest.mark.parametrize(
    ("state", "available_s", "said"),
    [("broken", "0.3", "did not come up"), ("given_up", "30", "timed out progressing")],
)
def test_a_canary_that_never_comes_up_gets_no_share(
    tmp_path: Path, state: str, available_s: str, said: str
) -> None:
    with world(tmp_path) as bad:
        setattr(bad.cluster, state, {bad.new.checksum})
        assert bad.rollout("--available-s", available_s, bad.new.name) == 0
        bad.check_over(bad.old)
        assert bad.record()["outcome"] == "rolled back" and said in bad.record()["reason"]
        assert max(one["spec"]["predictors"][-1]["traffic"] for one in bad.cluster.history[1:-1]) == 0


def phase(good: World) -> str:
    """How far the rollout is by the object, without a look of the cluster's own."""
    text = good.cluster.object["metadata"]["annotations"].get("pedalflow.dev/rollout", '{"phase": ""}')
    return str(json.loads(text)["phase"])


def test_where_main_does_not_come_up_with_it_everything_goes_back(good: World) -> None:
    def at_call(_: int) -> None:
        if phase(good) == "promoting":
            good.cluster.broken = {good.new.checksum}

    good.cluster.at_call = at_call
    assert good.rollout("--available-s", "3", good.new.name) == exits.RUN_FAILED.code
    good.check_over(good.old)
    assert good.record()["outcome"] == "failed" and "main did not come up" in good.record()["reason"]
    assert good.registry == []


def test_it_is_over_only_when_the_pods_of_detectors_and_explainer_work_with_it(good: World) -> None:
    seen = {}

    def before_write(_: object) -> None:
        if phase(good) == "following":
            seen.update(good.cluster.coming)

    good.cluster.looks, good.cluster.before_write = 5, before_write
    assert good.rollout(good.new.name) == 0
    assert seen == dict.fromkeys(good.cluster.followers, 0)


def test_a_detector_that_does_not_come_up_is_said_and_holds_up_no_champion(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    good.cluster.stuck = {"drift"}
    assert good.rollout("--available-s", "3", good.new.name) == 0
    good.check_over(good.new)
    said = capsys.readouterr().err
    assert "warning" in said and "drift: 0 of 1 pods are ready" in said and "collector:" not in said


def test_where_the_registry_refuses_everything_goes_back(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    good.refuses = True
    assert good.rollout(good.new.name) == exits.RUN_FAILED.code
    good.check_over(good.old)
    assert "judged against another champion" in capsys.readouterr().err


def test_the_registry_stays_as_it_is_where_that_is_asked_for(good: World) -> None:
    assert good.rollout("--no-registry", good.new.name) == 0
    good.check_over(good.new)
    assert good.registry == []


def test_a_canary_whose_pods_die_is_rolled_back_though_nobody_counts_what_it_fails(good: World) -> None:
    def at_call(_: int) -> None:
        if phase(good) == "sharing":
            good.cluster.broken = {good.new.checksum}
            good.cluster.made["canary"].looks_left = 1

    good.cluster.at_call = at_call
    good.prometheus.labels = False
    assert good.rollout(good.new.name) == 0
    good.check_over(good.old)
    assert "the canary's pods fail: 0 of 2 pods are ready" in good.record()["reason"]


def test_without_labels_patience_ends(good: World) -> None:
    good.prometheus.labels = False
    assert good.rollout("--patience-s", "0.3", good.new.name) == 0
    good.check_over(good.old)
    assert "not enough labelled requests" in good.record()["reason"]


def test_without_prometheus_nothing_begins(good: World, capsys: pytest.CaptureFixture[str]) -> None:
    good.prometheus.silent = True
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    assert len(good.cluster.history) == 1
    assert "Prometheus at" in capsys.readouterr().err


def test_where_prometheus_falls_silent_nothing_is_promoted(good: World) -> None:
    def at_call(_: int) -> None:
        good.prometheus.silent = phase(good) == "sharing"

    good.cluster.at_call = at_call
    assert good.rollout("--patience-s", "0.3", good.new.name) == 0
    good.check_over(good.old)
    assert "Prometheus does not answer" in good.record()["reason"]


def test_what_others_write_meanwhile_is_kept(good: World) -> None:
    """Every write finds that somebody was faster, once."""
    faster: list[str] = []

    def before_write(_: object) -> None:
        seen = good.cluster.object["metadata"]["annotations"].get("pedalflow.dev/rollout", "")
        if seen not in faster:
            faster.append(seen)
            good.cluster.edit(lambda one: one["metadata"]["annotations"].update({f"n{len(faster)}": "x"}))

    good.cluster.before_write = before_write
    assert good.rollout(good.new.name) == 0
    good.check_over(good.new)
    annotations = good.cluster.object["metadata"]["annotations"]
    assert len(faster) >= 7 and all(f"n{number + 1}" in annotations for number in range(len(faster)))


@pytest.mark.parametrize("failure", [429, 500, 503, BREAK, BREAK_BEFORE])
def test_passing_failures_of_the_api_server_cost_time_only(good: World, failure: int) -> None:
    chosen = random.Random(failure).sample(range(2, 1000), 300)
    good.cluster.failures = dict.fromkeys(chosen, failure)
    good.pace = replace(FAST, give_up_s=60.0)
    assert good.rollout(good.new.name) == 0
    good.check_over(good.new)
    assert good.registry[-1] == good.new.name


def test_an_answer_that_takes_too_long_is_not_waited_for(
    good: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_READ_S", 1.0)
    good.pace = replace(FAST, give_up_s=60.0)
    over = threading.Event()
    good.cluster.at_call = lambda number: over.wait(3.0) if number in (1, 6, 20) else None  # 6 is a write
    assert good.rollout(good.new.name) == 0
    over.set()
    good.check_over(good.new)


def test_an_api_server_that_stays_away_ends_the_command_and_the_next_one_goes_on(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    good.cluster.failures = dict.fromkeys(range(12, 100_000), 500)
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    assert "the same command goes on where this one ended" in capsys.readouterr().err
    good.check_history()
    good.cluster.failures = {}
    assert good.rollout(good.new.name) == 0
    good.check_over(good.new)


@pytest.mark.parametrize(
    ("failure", "said"), [(401, "does not let you"), (403, "update seldondeployments"), (404, "--namespace")]
)
def test_what_no_patience_mends_is_said_at_once(
    good: World, failure: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good.cluster.failures = {1: failure}
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    error = capsys.readouterr().err
    assert said in error and TOKEN not in error
    assert len(good.cluster.calls) == 1


def test_a_change_that_is_refused_is_said_with_the_api_servers_words(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    good.cluster.failures = {5: 422}
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    assert "the API server refuses the change (422" in capsys.readouterr().err
    assert len(good.cluster.history) == 1


def killed_at_every_call(folder: Path, canary: Behaviour, most: int) -> list[tuple[str, dict[str, str]]]:
    """Kill the command when its first, second, … call is done and run it again; outcome and what serves each time."""
    ends: list[tuple[str, dict[str, str]]] = []
    for number in range(1, most):
        place = folder / str(number)
        place.mkdir()
        with world(place, canary, looks=1) as here:
            code = here.killed_at(number, here.new.name, "--steps", "20,50")
            here.check_history()
            if code != -signal.SIGKILL:
                assert code == 0
                return ends
            assert here.rollout(here.new.name) == 0
            outcome = here.record()["outcome"]
            here.check_over(here.new if outcome == "promoted" else here.old)
            assert set(here.registry) <= {here.new.name} and (outcome == "promoted") == bool(here.registry)
            ends.append((outcome, here.serves))
    raise AssertionError(f"the rollout had not ended after {most} calls")


def test_killed_at_any_call_and_run_again_a_good_release_is_promoted(tmp_path: Path) -> None:
    ends = killed_at_every_call(tmp_path, Behaviour(), 80)
    assert len(ends) > 20
    assert {outcome for outcome, _ in ends} == {"promoted"}


def test_killed_at_any_call_and_run_again_a_bad_release_is_rolled_back(tmp_path: Path) -> None:
    ends = killed_at_every_call(tmp_path, Behaviour(fails=0.5), 60)
    assert len(ends) > 10
    assert {outcome for outcome, _ in ends} == {"rolled back"}


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_that_the_same_command_goes_on_and_it_does(
    good: World, by: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    assert good.killed_at(9, good.new.name, by=by) == exits.INTERRUPTED.code
    assert "the same command takes up where this one ended" in capfd.readouterr().err
    good.check_history()
    assert good.rollout(good.new.name) == 0
    good.check_over(good.new)


def test_by_single_steps(good: World, capsys: pytest.CaptureFixture[str]) -> None:
    name = good.new.name
    assert good.rollout("--json", name, cluster=("--cluster", "start")) == 0
    assert json.loads(capsys.readouterr().out)["rollout"]["share"] == 10
    assert good.rollout("--json", name, cluster=("--cluster", "start")) == 0  # it has started
    for share in (25, 50):
        assert good.rollout(cluster=("--cluster", "step")) == 0
        assert good.cluster.object["spec"]["predictors"][1]["traffic"] == share
    assert good.rollout(cluster=("--cluster", "step")) == exits.RUN_FAILED.code
    assert "promote it or abort" in capsys.readouterr().err
    assert good.rollout("--canary-rows", "100000", cluster=("--cluster", "promote")) == exits.RUN_FAILED.code
    assert "too early to promote" in capsys.readouterr().err
    assert good.rollout("--canary-rows", "1", cluster=("--cluster", "promote")) == 0
    good.check_over(good.new)


@pytest.mark.parametrize("action", ["step", "promote"])
def test_what_has_not_begun_has_no_next_step(
    good: World, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert good.rollout(good.new.name, cluster=("--cluster", action)) == exits.RUN_FAILED.code
    assert "no rollout is under way" in capsys.readouterr().err
    assert len(good.cluster.history) == 1


@pytest.mark.parametrize("wanted", ["starting", "sharing", "promoting", "registering", "following"])
def test_abort_and_status_at_every_phase(
    good: World, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_at(good, wanted)
    assert good.rollout("--json", cluster=("--cluster", "status")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rollout"]["phase"] == wanted
    assert sum(one["share"] for one in shown["predictors"]) == 100
    assert good.rollout(cluster=("--cluster", "status")) == 0
    assert f"{good.new.name} is {wanted}" in capsys.readouterr().out
    code = good.rollout(cluster=("--cluster", "abort"))
    if wanted in ("registering", "following"):
        assert code == exits.RUN_FAILED.code
        assert good.rollout(good.new.name) == 0
        good.check_over(good.new)
    else:
        assert code == 0 and good.registry == []
        good.check_over(good.old)
        assert good.rollout(cluster=("--cluster", "abort")) == 0  # nothing is under way


def stop_at(good: World, wanted: str) -> None:
    """Begin the rollout, and let the API server fail for ever from the write on that brings it to a phase."""

    def at_call(number: int) -> None:
        if phase(good) == wanted:
            good.cluster.failures = dict.fromkeys(range(number + 1, number + 5000), 500)

    good.cluster.at_call = at_call
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    good.cluster.at_call = lambda _: None
    good.cluster.failures = {}
    assert phase(good) == wanted


def give_main_another_release(one: dict[str, Any]) -> None:
    other = ReleaseAt("r-aaaaaaaaaaaa", "a" * 64, "s3://pipelines/releases/r-aaaaaaaaaaaa")
    one["spec"]["predictors"][0]["componentSpecs"][0]["metadata"]["annotations"] = annotations_of(other)


def take_canary_away(one: dict[str, Any]) -> None:
    one["spec"]["predictors"] = [{**one["spec"]["predictors"][0], "traffic": 100}]


def take_share_back(one: dict[str, Any]) -> None:
    for predictor, share in zip(one["spec"]["predictors"], (100, 0)):
        predictor["traffic"] = share


@pytest.mark.parametrize(
    ("change", "said", "serves"),
    [
        (give_main_another_release, "somebody gave main the release r-aaaaaaaaaaaa", "r-aaaaaaaaaaaa"),
        (take_canary_away, "somebody removed the canary", None),
        (take_share_back, "somebody changed the canary's share from 10 % to 0 %", None),
    ],
)
def test_what_somebody_else_decides_stands(
    good: World, change: Callable[[dict[str, Any]], None], said: str, serves: str | None
) -> None:
    stop_at(good, "sharing")
    good.cluster.edit(change)
    assert good.rollout(good.new.name) == 0
    assert good.record()["outcome"] == "rolled back" and said in good.record()["reason"]
    assert good.serves == {"main": serves or good.old.name}


def test_one_rollout_at_a_time(good: World, capsys: pytest.CaptureFixture[str]) -> None:
    stop_at(good, "sharing")
    other = "r-aaaaaaaaaaaa"
    assert good.rollout(other, "--checksum", other[2:] + "a" * 52) == exits.USAGE.code
    assert f"a rollout of {good.new.name}" in capsys.readouterr().err


def test_a_canary_of_somebody_else_is_not_touched(good: World, capsys: pytest.CaptureFixture[str]) -> None:
    def add(one: dict[str, Any]) -> None:
        main = one["spec"]["predictors"][0]
        one["spec"]["predictors"] = [{**main, "traffic": 90}, {**main, "name": "canary", "traffic": 10}]

    good.cluster.edit(add)
    assert good.rollout(good.new.name) == exits.SERVING_FAILED.code
    assert "that no rollout put there" in capsys.readouterr().err


def test_two_commands_at_once_end_as_one(good: World) -> None:
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(good.rollout(good.new.name))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0, 0]
    good.check_over(good.new)


def test_a_release_without_a_workspace_needs_its_checksum_and_tells_no_registry(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(good.new.folder, good.workspace.root / "elsewhere")
    assert good.rollout(good.new.name) == exits.USAGE.code
    assert "--checksum" in capsys.readouterr().err
    assert good.rollout(good.new.name, "--checksum", good.old.checksum) == exits.USAGE.code
    assert "is not the checksum" in capsys.readouterr().err
    uri = f"gs://elsewhere/{good.new.name}"
    assert good.rollout(good.new.name, "--checksum", good.new.checksum, "--release-uri", uri) == 0
    assert "no registry is told" in capsys.readouterr().err
    assert good.registry == []
    assert release_of(good.cluster.object["spec"]["predictors"][0]).uri == uri


def test_a_release_lies_beside_the_champion_unless_it_is_said(good: World) -> None:
    assert good.rollout(good.new.name) == 0
    assert release_of(good.cluster.object["spec"]["predictors"][0]) == at(good.new)


def test_options_of_a_cluster_count_on_a_cluster_only(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert good.rollout(good.new.name, cluster=()) == exits.USAGE.code
    assert "counts on a cluster only" in capsys.readouterr().err


def test_the_calls_are_those_that_a_role_has_to_allow(good: World) -> None:
    assert good.rollout(good.new.name) == 0
    assert set(good.cluster.calls) == set(CALLS)
    role = yaml.safe_load(ROLE.read_text(encoding="utf-8"))
    allowed = {
        (verb, group, resource)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert allowed == set(CALLS)
    names = {name for rule in role["rules"] if "patch" in rule["verbs"] for name in rule["resourceNames"]}
    assert names == set(good.cluster.followers)


def test_without_a_kubeconfig_it_says_what_to_look_at(
    good: World, capsys: pytest.CaptureFixture[str]
) -> None:
    good.kubeconfig.unlink()
    assert good.rollout(good.new.name) == exits.USAGE.code
    assert "look at $KUBECONFIG and --context" in capsys.readouterr().err


def test_the_command_as_people_run_it(good: World) -> None:
    command = [sys.executable, "-m", "serving.rollout_command", "--workspace", str(good.workspace.root)]
    environment = {**os.environ, "KUBECONFIG": str(good.kubeconfig)}
    done = subprocess.run(
        [*command, "--cluster", "status"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "main       100 %  " in done.stdout and "Under way:     nothing" in done.stdout
