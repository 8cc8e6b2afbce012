"""The Kubeflow launcher over real HTTP, against a stand-in that is held against the published schema of the API."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.samples.certificates import self_made
from tests.samples.kfp_api_stand_in import BREAK, FINE, KfpApi, held_against_schema, kfp_api
from triggers.errors import LaunchLater, LaunchStopped
from triggers.launchers.following import utc_text
from triggers.launchers.kubeflow import KubeflowLauncher
from triggers.launchers.launcher import DONE, Order, State
from triggers.launchers.launcher_settings import KubeflowSettings
from triggers.policy import Action

PIPELINE = "pedalflow"
ORDER = Order(
    "q-7",
    Action.TAKE_IN,
    PIPELINE,
    ("a batch was uploaded", "the labels drift"),
    objects=("s3://bike-hours/2012-01/",),
    commit="c0ffee",
)


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with kfp_api(KfpApi()) as serving:
        serving.add_pipeline(PIPELINE)
        yield serving


def launcher(api: KfpApi, **settings: Any) -> KubeflowLauncher:
    return KubeflowLauncher(KubeflowSettings(host=api.address, pipeline=PIPELINE, **settings))


def test_a_run_is_made_of_the_newest_version_with_what_the_order_says(api: KfpApi) -> None:
    older, newest = api.add_pipeline("pedalflow-b", versions=2)
    api.add_pipeline("pedalflow-c", versions=2)
    here = KubeflowLauncher(
        KubeflowSettings(
            host=api.address,
            pipeline="pedalflow-b",
            experiment="nightly",
            parameters={"epochs": 30},
            order_parameters={"reason": "why", "key": "key", "objects": "objects", "commit": ""},
            service_account="trainer",
            ui_host="https://kubeflow.example/pipeline/",
        )
    )

    launched = here.submit(ORDER)

    [run] = api.runs
    assert run["display_name"] == "pedalflow-b-q-7"
    assert run["pipeline_version_reference"]["pipeline_version_id"] == newest != older
    assert run["service_account"] == "trainer"
    assert run["runtime_config"]["parameters"] == {
        "epochs": 30,
        "why": "a batch was uploaded; the labels drift",
        "key": "q-7",
        "objects": json.dumps(["s3://bike-hours/2012-01/"]),
    }
    assert [(e["experiment_id"], e["display_name"]) for e in api.experiments] == [
        (run["experiment_id"], "nightly")
    ]
    assert launched.id == run["run_id"]
    assert launched.url == f"https://kubeflow.example/pipeline/#/runs/details/{run['run_id']}"


def test_the_arguments_file_is_read_at_every_start_and_gives_way_to_settings_and_order(
    api: KfpApi, tmp_path: Path
) -> None:
    file = tmp_path / "arguments.json"
    here = launcher(api, arguments_file=file, parameters={"epochs": 30})
    file.write_text(json.dumps({"spans": "one", "epochs": 3, "reason": "of the file", "champion": ""}))
    here.submit(ORDER)
    file.write_text(json.dumps({"spans": "two"}))
    here.submit(replace(ORDER, key="q-8"))
    of_the_order = {"epochs": 30, "reason": "a batch was uploaded; the labels drift"}
    assert [run["runtime_config"]["parameters"] for run in api.runs] == [
        {"spans": "one", "champion": "", "idempotency_key": "q-7", **of_the_order},
        {"spans": "two", "idempotency_key": "q-8", **of_the_order},
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"{", "holds no JSON"),
        (b"[]", "holds no JSON object"),
        (b'{"spans": [1], "reason": ""}', "has spans as neither"),
        (b'{"spans": null}', "has spans as neither"),
    ],
)
def test_an_arguments_file_that_will_not_do_stops_and_starts_nothing(
    api: KfpApi, tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "arguments.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LaunchStopped, match=f"arguments.json {said}.*pedalflow submit --arguments-file"):
        launcher(api, arguments_file=file).submit(ORDER)
    assert api.runs == []


def test_a_fixed_version_is_the_one_that_runs(api: KfpApi) -> None:
    first, _ = api.add_pipeline("fixed", versions=2)
    KubeflowLauncher(KubeflowSettings(host=api.address, pipeline="fixed", version=first)).submit(ORDER)
    assert api.runs[0]["pipeline_version_reference"]["pipeline_version_id"] == first


def test_a_run_is_found_by_its_key_among_many(api: KfpApi) -> None:
    here = launcher(api)
    assert here.find("q-7") is None
    launched = {
        key: here.submit(Order(key, Action.RETRAIN, PIPELINE, ())) for key in (f"q-{n}" for n in range(30))
    }
    assert {key: here.find(key) for key in launched} == launched


def test_the_same_key_twice_is_one_run(api: KfpApi) -> None:
    here = launcher(api)
    assert here.submit(ORDER) == here.submit(ORDER)
    assert len(api.runs) == 1


def test_a_connection_that_breaks_after_the_run_was_made_costs_nothing(api: KfpApi) -> None:
    here = launcher(api)
    here.submit(Order("q-1", Action.RETRAIN, PIPELINE, ()))  # so that the experiment is there
    # experiment, run of this key, pipeline, versions, experiment; then the run itself
    api.failures = [FINE, FINE, FINE, FINE, FINE, BREAK]
    with pytest.raises(LaunchLater):
        here.submit(ORDER)
    assert here.submit(ORDER) == here.find("q-7")
    assert [run["display_name"] for run in api.runs] == ["pedalflow-q-1", "pedalflow-q-7"]


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("RUNTIME_STATE_UNSPECIFIED", State.ACTIVE),
        ("PENDING", State.ACTIVE),
        ("RUNNING", State.ACTIVE),
        ("PAUSED", State.ACTIVE),
        ("CANCELING", State.ACTIVE),
        ("SUCCEEDED", State.SUCCEEDED),
        ("SKIPPED", State.SUCCEEDED),
        ("FAILED", State.FAILED),
        ("CANCELED", State.CANCELED),
    ],
)
def test_every_state_of_the_api_is_understood(api: KfpApi, state: str, seen: State) -> None:
    here = launcher(api)
    run = here.submit(ORDER).id
    api.set_state(run, state, created_at=utc_text(time.time() - 60))
    looked = here.look(run)
    assert looked.state is seen
    assert looked.outcome == (DONE if seen is State.SUCCEEDED else "")
    assert bool(looked.step) is (seen is State.ACTIVE)


@pytest.mark.parametrize("state", ["PENDING", "PAUSED", "RUNNING", "RUNTIME_STATE_UNSPECIFIED"])
def test_a_run_that_hangs_counts_as_failed_and_its_page_is_named(api: KfpApi, state: str) -> None:
    here = launcher(api, run_s=7200)
    launched = here.submit(ORDER)
    api.set_state(launched.id, state, created_at=utc_text(time.time() - 7000))
    assert here.look(launched.id).state is State.ACTIVE
    api.set_state(launched.id, state, created_at=utc_text(time.time() - 7300))
    seen = here.look(launched.id)
    assert (seen.state, seen.outcome) == (State.FAILED, "")
    assert "longer than 2 h" in seen.note and launched.url in seen.note


@pytest.mark.parametrize(
    ("told", "note"),
    [
        ({"error": {"code": 9, "message": "the gate said no"}}, "the gate said no"),
        (
            {
                "run_details": {
                    "task_details": [
                        {"display_name": "Trainer", "state": "FAILED", "error": {"message": "out of memory"}},
                        {"display_name": "Transform", "state": "SUCCEEDED"},
                    ]
                }
            },
            "Trainer: out of memory",
        ),
        ({}, "Kubeflow says that it failed, and not why; its page has the logs"),
    ],
)
def test_a_failure_says_why_where_the_api_does(api: KfpApi, told: dict[str, Any], note: str) -> None:
    here = launcher(api)
    run = here.submit(ORDER).id
    api.set_state(run, "FAILED", **told)
    assert here.look(run).note == note


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(api: KfpApi, status: int) -> None:
    api.failures = [status]
    with pytest.raises(LaunchLater, match=str(status)):
        launcher(api).find("q-7")


@pytest.mark.parametrize(
    ("status", "mend"), [(400, "settings"), (401, "token"), (403, "right"), (404, "names")]
)
def test_what_somebody_has_to_mend_stops(api: KfpApi, status: int, mend: str) -> None:
    api.failures = [status]
    with pytest.raises(LaunchStopped, match=f"{status}.*a failure that the test asked for.*{mend}"):
        launcher(api).find("q-7")


def test_a_run_that_was_deleted_stops(api: KfpApi) -> None:
    with pytest.raises(LaunchStopped, match="404"):
        launcher(api).look("run-99")


def test_a_server_that_does_not_answer_in_time_is_tried_again(api: KfpApi) -> None:
    here = launcher(api, timeout_s=0.05)
    api.delay_s = 0.3
    with pytest.raises(LaunchLater, match="no answer"):
        here.look("run-1")


def test_a_server_that_is_not_there_is_tried_again(api: KfpApi) -> None:
    nowhere = KubeflowSettings(host="http://127.0.0.1:1", pipeline=PIPELINE)
    with pytest.raises(LaunchLater, match="no answer"):
        KubeflowLauncher(nowhere).find("q-7")


def test_a_pipeline_that_was_never_uploaded_stops(api: KfpApi) -> None:
    api.pipelines.clear()
    with pytest.raises(LaunchStopped, match="has no pipeline pedalflow; upload it"):
        launcher(api).submit(ORDER)


def test_a_pipeline_without_a_version_stops(api: KfpApi) -> None:
    api.versions.clear()
    with pytest.raises(LaunchStopped, match="no version; upload one"):
        launcher(api).submit(ORDER)


def test_a_rotated_token_is_taken_up_and_never_logged(
    api: KfpApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    api.token = "the-first-token"
    token.write_text("the-first-token\n")
    here = launcher(api, token_file=token)
    here.submit(ORDER)

    api.token = "the-second-token"
    with pytest.raises(LaunchStopped, match="401") as refused:
        here.find("q-7")
    token.write_text("the-second-token\n")

    assert here.find("q-7") is not None
    assert "-token" not in caplog.text + str(refused.value) + repr(here)


def test_a_token_file_that_is_missing_stops(api: KfpApi, tmp_path: Path) -> None:
    with pytest.raises(LaunchStopped, match="cannot be read"):
        launcher(api, token_file=tmp_path / "missing").find("q-7")


def test_with_several_users_the_namespace_goes_along() -> None:
    with kfp_api(KfpApi(several_users=True)) as api:
        api.add_pipeline(PIPELINE)  # one that all share
        here = launcher(api, namespace="team")
        launched = here.submit(ORDER)
        assert here.find("q-7") == launched
        assert api.experiments[0]["namespace"] == "team"
        with pytest.raises(LaunchStopped, match="empty namespace"):
            launcher(api).find("q-7")


def test_tls_trusts_the_given_authority_and_no_other(tmp_path: Path) -> None:
    made = self_made(tmp_path)
    with kfp_api(KfpApi(), made.server) as api:
        api.add_pipeline(PIPELINE)
        assert launcher(api, ca_file=made.authority).submit(ORDER).id == api.runs[0]["run_id"]
        with pytest.raises(LaunchStopped, match="ca_file"):
            launcher(api).find("q-7")


def test_the_stand_in_says_nothing_that_the_schema_does_not_know() -> None:
    with pytest.raises(AssertionError, match="made_up"):
        held_against_schema("V2beta1Run", {"run_id": "r", "made_up": 1})
    with pytest.raises(AssertionError, match="DONE"):
        held_against_schema("V2beta1Run", {"run_id": "r", "state": "DONE"})
