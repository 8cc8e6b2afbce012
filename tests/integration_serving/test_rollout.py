"""Rollouts on real servers under load: good releases and bad ones, and whatever is killed meanwhile."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pedalflow.command import exits
from pedalflow.release import Release
from pedalflow.workspace import Workspace
from serving.running import NOTE, running
from tests.integration_serving import servers
from tests.integration_serving.conftest import point_to
from tests.integration_serving.rollouts import (
    Life,
    champion,
    is_settled,
    keep_release,
    newest_record,
    result,
    rollout,
    share,
    started,
)
from tests.integration_serving.served import Serve, ended, free_block, new_workspace, serve
from tests.samples.small_release import small_release

CANARY = ("--canary", "--without", "explainer")
HALF = ("--percent", "50", "--canary-rows", "40")
_LIVES = itertools.count()
FOR_EVER = ("--percent", "50", "--canary-rows", "1000000")


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that answers thrice what it should."""
    return small_release(tmp_path_factory.mktemp("spoiled"), scale=3.0)


@pytest.fixture(scope="module")
def with_canary(
    tmp_path_factory: pytest.TempPathFactory, release: Release, doubled: Release, spoiled: Release
) -> Iterator[Serve]:
    """Servers with a canary in a workspace of three releases."""
    workspace = new_workspace(tmp_path_factory.mktemp("with-canary"), doubled)
    for each in (release, spoiled):
        keep_release(workspace, each)
    with serve(workspace, *CANARY) as serving:
        yield serving


@pytest.fixture
def doubled_serves(with_canary: Serve, doubled: Release) -> Iterator[tuple[Serve, Life]]:
    """The servers, whose champion answers twice what it should, and clients without a pause. No request may fail."""
    point_to(with_canary.workspace.champion, doubled)
    with Life(with_canary.ready["addresses"]["rest"], f"life-{next(_LIVES)}") as life:
        life.wait_for(doubled, 20)
        yield with_canary, life
    assert not life.failures, life.failures[:5]


def test_a_good_release_is_promoted_without_a_failed_request(
    doubled_serves: tuple[Serve, Life], release: Release, doubled: Release
) -> None:
    serving, life = doubled_serves
    state = serving.workspace.serving
    record = result(rollout(serving.workspace, release.name, *HALF))
    assert (record["outcome"], champion(serving)) == ("promoted", release.name)
    assert (record["champion"]["release"], record["canary"]["release"]) == (doubled.name, release.name)
    assert min(record["champion"]["rows"], record["canary"]["rows"]) >= 40
    assert record["canary"]["wape"] < record["champion"]["wape"]
    assert life.answers[release.name] >= 40 and life.answers[doubled.name] >= 60
    assert is_settled(state, release)
    before = life.answers[doubled.name]
    life.wait_for(release, 20)
    assert life.answers[doubled.name] <= before + 3  # those that were on their way
    kept, content = newest_record(serving.workspace)
    assert content == record
    assert kept.name.endswith(f"-{release.name}.json")
    assert record["times"]["started"] <= record["times"]["shared"] <= record["times"]["finished"]


def test_a_bad_release_is_rolled_back_and_the_champion_stays(
    doubled_serves: tuple[Serve, Life], doubled: Release, spoiled: Release
) -> None:
    serving, life = doubled_serves
    record = result(rollout(serving.workspace, spoiled.name, *HALF))
    assert (record["outcome"], champion(serving)) == ("rolled back", doubled.name)
    assert "worse" in record["reason"]
    assert life.answers[spoiled.name] > 0
    assert is_settled(serving.workspace.serving, doubled)


def test_a_canary_that_is_killed_costs_no_request_and_is_rolled_back(
    doubled_serves: tuple[Serve, Life], release: Release, doubled: Release
) -> None:
    serving, life = doubled_serves
    with started(serving.workspace, release.name, *FOR_EVER) as process:
        life.wait_for(release, 10)
        os.killpg(serving.pid("canary"), signal.SIGKILL)
        assert process.wait(60) == 0
    _, record = newest_record(serving.workspace)
    assert record["outcome"] == "rolled back" and "failed" in record["reason"]
    assert champion(serving) == doubled.name
    servers.wait_for(lambda: "canary starts again" in serving.said())


def test_a_rollout_that_is_killed_is_mended_by_the_next_one(
    doubled_serves: tuple[Serve, Life], release: Release, doubled: Release, spoiled: Release
) -> None:
    serving, life = doubled_serves
    state = serving.workspace.serving
    with started(serving.workspace, release.name, *FOR_EVER) as process:
        life.wait_for(release, 5)
        busy = rollout(serving.workspace, spoiled.name)
        assert busy.returncode == exits.RUN_FAILED.code and "rollout is at work" in busy.stderr
        process.kill()
    assert share(state) == 50
    assert result(rollout(serving.workspace, spoiled.name, *HALF))["outcome"] == "rolled back"
    assert is_settled(state, doubled)

    killed = rollout(serving.workspace, release.name, *HALF, moment="promoted")
    assert killed.returncode == -signal.SIGKILL and share(state) == 50
    record = result(rollout(serving.workspace, release.name, *HALF))
    assert (record["outcome"], record["reason"]) == ("promoted", "it serves already")
    assert is_settled(state, release)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_rollout_that_is_stopped_takes_the_share_back_itself(
    doubled_serves: tuple[Serve, Life], release: Release, doubled: Release, number: signal.Signals
) -> None:
    serving, life = doubled_serves
    with started(serving.workspace, release.name, *FOR_EVER) as process:
        life.wait_for(release, 5)
        process.send_signal(number)
        assert process.wait(60) == exits.INTERRUPTED.code
    assert is_settled(serving.workspace.serving, doubled)


def test_without_labels_it_is_rolled_back_when_patience_ends(
    tmp_path: Path, release: Release, doubled: Release
) -> None:
    workspace = new_workspace(tmp_path, doubled)
    with serve(workspace, *CANARY, "--without", "outliers") as serving:
        record = result(rollout(workspace, str(release.folder), "--patience-s", "1"))
        assert record["outcome"] == "rolled back"
        assert "not enough labelled requests" in record["reason"]
        assert champion(serving) == doubled.name


def test_a_promotion_that_is_refused_is_an_error_and_the_champion_stays(
    doubled_serves: tuple[Serve, Life], release: Release, doubled: Release
) -> None:
    serving, _ = doubled_serves
    refused = rollout(serving.workspace, release.name, *HALF, moment="refused")
    assert refused.returncode == exits.RUN_FAILED.code
    assert "judged against another champion" in refused.stderr
    assert is_settled(serving.workspace.serving, doubled)
    assert newest_record(serving.workspace)[1]["outcome"] == "failed"


def test_where_nothing_serves_it_promotes_at_once_and_says_so(
    tmp_path: Path, release: Release, doubled: Release
) -> None:
    workspace = new_workspace(tmp_path, doubled)
    keep_release(workspace, release)
    done = rollout(workspace, release.name)
    assert result(done)["outcome"] == "promoted"
    assert "no servers run here" in result(done)["reason"] and "promoted at once" in done.stderr


def test_servers_without_a_canary_take_the_release_up_at_once(
    tmp_path: Path, release: Release, doubled: Release
) -> None:
    workspace = new_workspace(tmp_path, doubled)
    keep_release(workspace, release)
    with serve(workspace, "--without", "explainer", "--without", "outliers", "--without", "events"):
        record = result(rollout(workspace, release.name))
        assert record["outcome"] == "promoted" and "no canary" in record["reason"]


def test_serve_tells_where_its_parts_are_and_begins_without_a_share(tmp_path: Path, release: Release) -> None:
    workspace = new_workspace(tmp_path, release)
    state = workspace.serving
    (state / "traffic.json").write_text('{"canary_percent": 50}', encoding="utf-8")
    with serve(workspace, *CANARY) as serving:
        found = running(state)
        assert found is not None and found.canary
        assert found.pid == serving.process.pid
        assert found.addresses == {part["name"]: part["address"] for part in serving.ready["parts"]}
        assert is_settled(state, release)
        serving.process.kill()
        serving.process.wait()
        servers.wait_for(lambda: running(state) is None)
        assert (state / NOTE).exists()  # stale, and known for that
        servers.wait_for(lambda: not serving.processes())
    with serve(workspace, *CANARY) as serving:
        assert running(state) is not None
        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(90) == 0
    assert not (state / NOTE).exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--canary", "--without", "events"), "--canary needs the event services"),
        (("--broker-token-file", "token"), "name it with --broker"),
    ],
)
def test_options_of_serve_that_do_not_go_together_are_refused(
    tmp_path: Path, release: Release, options: tuple[str, ...], said: str
) -> None:
    refused = ended(new_workspace(tmp_path, release), free_block(), *options)
    assert refused.returncode == exits.USAGE.code and said in refused.stderr


def test_a_release_that_is_not_there_or_cannot_serve_is_named(tmp_path: Path, release: Release) -> None:
    workspace: Workspace = new_workspace(tmp_path, release)
    missing = rollout(workspace, "r-000000000000")
    assert missing.returncode == exits.USAGE.code and "there is no release r-000000000000" in missing.stderr
    (tmp_path / "empty").mkdir()
    empty = rollout(workspace, str(tmp_path / "empty"))
    assert empty.returncode == exits.RUN_FAILED.code and "is no release" in empty.stderr
