"""The launchers that ask a build service, over HTTP on this machine: GitHub's dispatches and Cloud Build's triggers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pedalflow.command import options
from tests.samples.certificates import self_made
from tests.samples.json_server import Asked, Told, json_server
from triggers.errors import LaunchLater, LaunchStopped
from triggers.launchers.cloud_build import STATES, CloudBuildLauncher
from triggers.launchers.following import utc_text
from triggers.launchers.github_dispatch import GithubLauncher
from triggers.launchers.launcher import DISPATCHED, DONE, Launched, Order, Seen, State
from triggers.launchers.launcher_settings import CloudBuildSettings, GithubSettings
from triggers.policy import Action

ORDER = Order("q-7", Action.REBUILD, "pedalflow", ("code was pushed", "somebody asked"), commit="c0ffee")
TOKEN = "a-token-for-a-test"
PAGE = "https://github.example/2"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


class Service:
    """Answers from a table of method and path, and keeps what it was asked."""

    def __init__(self, **answers: Told | None) -> None:
        self.answers = answers
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Told | None:
        self.asked.append(asked)
        return self.answers[asked.method]


@contextmanager
def github(service: Service, token: Path, **settings: Any) -> Iterator[GithubLauncher]:
    with json_server(service) as address:
        made = GithubLauncher(
            GithubSettings(api=address, repository="owner/name", token_file=token, **settings)
        )
        yield made
        made.close()


@contextmanager
def cloud_build(service: Any, token: Path) -> Iterator[CloudBuildLauncher]:
    with json_server(service) as address:
        settings = CloudBuildSettings(
            api=address, project="p", location="europe-west1", trigger="t", token_file=token
        )
        made = CloudBuildLauncher(settings)
        yield made
        made.close()


def test_github_is_sent_the_key_the_reasons_and_the_commit(token: Path) -> None:
    service = Service(POST=Told(None, 204))
    with github(service, token, event_type="rebuild") as launcher:
        before = time.time()
        key, _, sent = launcher.submit(ORDER).id.partition("@")
    assert key == "q-7" and abs(float(sent) - before) < 60
    [asked] = service.asked
    assert asked.path == "/repos/owner/name/dispatches"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.body == {
        "event_type": "rebuild",
        "client_payload": {
            "key": "q-7",
            "reasons": "code was pushed; somebody asked",
            "commit": "c0ffee",
            "objects": [],
        },
    }


def test_a_workflow_that_takes_data_in_is_told_of_the_objects_as_it_can_copy_them(token: Path) -> None:
    objects = ("gs://b/2012-02/_SUCCESS", "gs://b/2012-03.csv", "s3://b/2012-04/", "gs://b/2012-02/_SUCCESS")
    service = Service(POST=Told(None, 204))
    with github(service, token) as launcher:
        launcher.submit(replace(ORDER, action=Action.TAKE_IN, objects=objects))
    [asked] = service.asked
    assert asked.body["event_type"] == "take-in"
    assert asked.body["client_payload"]["objects"] == [
        "gs://b/2012-02/*.csv",
        "gs://b/2012-03.csv",
        "s3://b/2012-04/*.csv",
    ]


def test_a_workflow_gets_no_more_reasons_than_the_command_takes(token: Path) -> None:
    service = Service(POST=Told(None, 204))
    with github(service, token) as launcher:
        launcher.submit(replace(ORDER, reasons=("drift",) * 200))
    reasons = service.asked[0].body["client_payload"]["reasons"]
    assert options.parse("submit", ["--reason", reasons]).reason == reasons


def test_a_dispatch_is_found_by_the_key_in_the_runs_title(token: Path) -> None:
    runs = [
        {"id": 1, "display_title": "retrain q-77", "html_url": "https://github.example/1"},
        {"id": 2, "display_title": "retrain q-7", "html_url": "https://github.example/2"},
    ]
    service = Service(GET=Told({"total_count": 2, "workflow_runs": runs}))
    with github(service, token) as launcher:
        assert launcher.find("q-7") == Launched("2", "https://github.example/2")
        assert launcher.find("q-8") is None
    assert service.asked[0].path == "/repos/owner/name/actions/runs"
    assert service.asked[0].query == {"event": "repository_dispatch", "per_page": "100"}


def test_of_two_runs_for_one_key_the_first_counts(token: Path) -> None:
    newest_first = [{**workflow_run("completed", "failure"), "id": 3}, workflow_run("completed", "success")]
    with github(Service(GET=Told({"workflow_runs": newest_first})), token) as launcher:
        found = launcher.find("q-7")
        seen = launcher.look(dispatched(30))
    assert found == Launched("2", PAGE) and seen.state is State.SUCCEEDED


def workflow_run(status: str, conclusion: str | None = None, age_s: float = 60.0) -> dict[str, Any]:
    return {
        "id": 2,
        "display_title": "retrain q-7",
        "html_url": PAGE,
        "status": status,
        "conclusion": conclusion,
        "created_at": utc_text(time.time() - age_s),
    }


def dispatched(age_s: float) -> str:
    return f"q-7@{time.time() - age_s:.0f}"


def looked(token: Path, run: str, answer: dict[str, Any]) -> Seen:
    with github(Service(GET=Told(answer)), token) as launcher:
        return launcher.look(run)


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "something new"])
def test_a_workflow_that_is_at_work_is_followed(token: Path, status: str) -> None:
    for run, answer in (
        (dispatched(30), {"workflow_runs": [workflow_run(status)]}),
        ("2", workflow_run(status)),
    ):
        seen = looked(token, run, answer)
        assert (seen.state, seen.outcome, seen.facts) == (State.ACTIVE, "", {"workflow_run": PAGE})
        assert status.replace("_", " ") in seen.step


@pytest.mark.parametrize(
    ("conclusion", "state", "outcome"),
    [
        ("success", State.SUCCEEDED, DONE),
        ("failure", State.FAILED, ""),
        ("timed_out", State.FAILED, ""),
        ("skipped", State.FAILED, ""),
        ("cancelled", State.CANCELED, ""),
        ("something new", State.FAILED, ""),
    ],
)
def test_a_workflow_that_is_over_says_how(token: Path, conclusion: str, state: State, outcome: str) -> None:
    seen = looked(token, "2", workflow_run("completed", conclusion, age_s=1e6))
    assert (seen.state, seen.outcome) == (state, outcome)
    assert conclusion.replace("_", " ") in seen.note and PAGE in seen.note


def test_a_dispatch_is_looked_for_among_the_runs_since_it_was_sent(token: Path) -> None:
    service = Service(GET=Told({"workflow_runs": []}))
    with github(service, token) as launcher:
        launcher.look("q-7@1767225600")  # 2026-01-01T00:00:00Z
    assert service.asked[0].query["created"] == ">=2025-12-31T23:50:00Z"


def test_a_dispatch_that_no_workflow_shows_is_waited_for_and_not_for_ever(token: Path) -> None:
    nothing: dict[str, Any] = {"workflow_runs": []}
    early = looked(token, dispatched(30), nothing)
    assert (early.state, early.outcome) == (State.ACTIVE, "")
    late = looked(token, dispatched(7 * 3600), nothing)
    assert (late.state, late.outcome) == (State.SUCCEEDED, DISPATCHED)
    assert "no workflow run within 6 h" in late.note and "run-name" in late.note


def test_a_workflow_that_hangs_counts_as_failed(token: Path) -> None:
    seen = looked(token, "2", workflow_run("queued", age_s=7 * 3600))
    assert (seen.state, seen.outcome, seen.step) == (State.FAILED, "", "")
    assert "longer than 6 h" in seen.note and PAGE in seen.note


@pytest.mark.parametrize("given", ["javascript:alert(1)", "", None, 7, "/relative"])
def test_only_an_address_of_the_web_is_led_to(token: Path, given: object) -> None:
    run = {**workflow_run("queued"), "html_url": given}
    with github(Service(GET=Told({"workflow_runs": [run]})), token) as launcher:
        assert launcher.find("q-7") == Launched("2", "")
    build = {"id": "b-1", "logUrl": given}
    with cloud_build(Service(POST=Told({"metadata": {"build": build}})), token) as other:
        assert other.submit(ORDER) == Launched("b-1", "")


def test_a_build_is_run_on_the_orders_commit_or_else_on_the_branch(token: Path) -> None:
    build = {"id": "b-1", "logUrl": "https://build.example/b-1"}
    service = Service(POST=Told({"name": "operations/1", "metadata": {"build": build}}))
    with cloud_build(service, token) as launcher:
        assert launcher.submit(ORDER) == Launched("b-1", "https://build.example/b-1")
        launcher.submit(replace(ORDER, commit=""))
    path = "/v1/projects/p/locations/europe-west1/triggers/t:run"
    assert [asked.path for asked in service.asked] == [path, path]
    substitutions = {"_KEY": "q-7", "_REASONS": "code was pushed; somebody asked"}
    assert [asked.body for asked in service.asked] == [
        {
            "projectId": "p",
            "triggerId": "t",
            "source": {"substitutions": substitutions, "commitSha": "c0ffee"},
        },
        {
            "projectId": "p",
            "triggerId": "t",
            "source": {"substitutions": substitutions, "branchName": "main"},
        },
    ]


def test_a_build_is_found_by_its_key_on_any_page(token: Path) -> None:
    other = {"id": "b-1", "substitutions": {"_KEY": "q-77"}}
    mine = {"id": "b-2", "substitutions": {"_KEY": "q-7"}, "logUrl": "https://build.example/b-2"}

    def pages(asked: Asked) -> Told:
        assert asked.path == "/v1/projects/p/locations/europe-west1/builds"
        assert asked.query["filter"].startswith('substitutions._KEY="q-')
        if asked.query.get("pageToken") == "2":
            return Told({"builds": [mine]})
        return Told({"builds": [other, {"id": "b-0"}], "nextPageToken": "2"})

    with cloud_build(pages, token) as launcher:
        assert launcher.find("q-7") == Launched("b-2", "https://build.example/b-2")
        assert launcher.find("q-8") is None


@pytest.mark.parametrize("status", STATES)
def test_every_status_of_a_build_is_understood(token: Path, status: str) -> None:
    build = {"id": "b-1", "status": status, "createTime": utc_text(time.time() - 60)}
    with cloud_build(Service(GET=Told(build)), token) as launcher:
        seen = launcher.look("b-1")
    assert seen.state is STATES[status]
    assert seen.outcome == (DONE if status == "SUCCESS" else "")


@pytest.mark.parametrize("status", ["PENDING", "QUEUED", "WORKING", "STATUS_UNKNOWN", "SOMETHING_NEW"])
def test_a_build_that_hangs_counts_as_failed(token: Path, status: str) -> None:
    page = "https://build.example/b-1"
    build = {
        "id": "b-1",
        "status": status,
        "createTime": "2026-01-01T00:00:00.123456789Z",
        "logUrl": page,
    }
    with cloud_build(Service(GET=Told(build)), token) as launcher:
        seen = launcher.look("b-1")
    assert (seen.state, seen.outcome) == (State.FAILED, "")
    assert "longer than 6 h" in seen.note and page in seen.note


def test_an_answer_that_is_no_build_is_not_one_at_work(token: Path) -> None:
    with (
        cloud_build(Service(GET=Told({})), token) as launcher,
        pytest.raises(LaunchStopped, match="since when"),
    ):
        launcher.look("b-1")


def test_a_build_that_failed_says_why(token: Path) -> None:
    build = {
        "status": "FAILURE",
        "failureInfo": {"type": "USER_BUILD_STEP", "detail": "step 2 exited with 4"},
    }
    with cloud_build(Service(GET=Told(build)), token) as launcher:
        assert launcher.look("b-1").note == "step 2 exited with 4"


@pytest.mark.parametrize(
    "answer",
    [
        Told({"message": "wait"}, 429),
        Told({"message": "oops"}, 500),
        Told("gone for a moment", 503),
        Told({"message": "rate limit"}, 403, (("x-ratelimit-remaining", "0"),)),
        Told({"message": "secondary rate limit"}, 403, (("retry-after", "60"),)),
        None,
    ],
)
def test_what_may_pass_is_tried_again(token: Path, answer: Told | None) -> None:
    with github(Service(POST=answer), token) as launcher, pytest.raises(LaunchLater):
        launcher.submit(ORDER)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Told({"message": "Bad credentials"}, 401), r"401 \(Bad credentials\); put a valid token"),
        (Told({"error": {"message": "no permission"}}, 403), r"403 \(no permission\); give the account"),
        (Told({"error": "not found"}, 404), r"404 \(not found\); check the names"),
        (Told("<html>", 404), "404; check the names"),
        (Told({"message": "wrong"}, 422), r"422 \(wrong\); compare"),
        (Told(None, 301, (("location", "/elsewhere"),)), "301; compare"),
        (Told("<html>please log in</html>"), "login page"),
        (Told([]), "login page"),
    ],
)
def test_what_somebody_has_to_mend_stops(token: Path, answer: Told, says: str) -> None:
    with github(Service(POST=answer), token) as launcher, pytest.raises(LaunchStopped, match=says):
        launcher.submit(ORDER)


def test_an_answer_without_a_build_stops(token: Path) -> None:
    with (
        cloud_build(Service(POST=Told({})), token) as launcher,
        pytest.raises(LaunchStopped, match="without a build"),
    ):
        launcher.submit(ORDER)


def test_a_renewed_token_is_taken_up_and_none_is_ever_logged(
    token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = Service(POST=Told({"message": "no"}, 401))
    with github(service, token) as launcher:
        with pytest.raises(LaunchStopped) as refused:
            launcher.submit(ORDER)
        token.write_text("a-renewed-token")
        service.answers["POST"] = Told(None, 204)
        launcher.submit(ORDER)
    assert service.asked[-1].headers["authorization"] == "Bearer a-renewed-token"
    assert TOKEN not in caplog.text + str(refused.value)


@pytest.mark.parametrize("content", [None, "", "\n", "two\nlines", "two words", b"\xff\xfe"])
def test_a_file_without_a_token_stops(token: Path, content: str | bytes | None) -> None:
    token.unlink()
    if content is not None:
        token.write_bytes(content if isinstance(content, bytes) else content.encode())
    with github(Service(), token) as launcher, pytest.raises(LaunchStopped, match="the token file"):
        launcher.submit(ORDER)


def test_tls_trusts_the_given_authority_and_no_other(token: Path, tmp_path: Path) -> None:
    made = self_made(tmp_path)
    with json_server(Service(POST=Told(None, 204)), made.server) as address:
        settings = GithubSettings(api=address, repository="owner/name", token_file=token)
        with pytest.raises(LaunchStopped, match="ca_file"):
            GithubLauncher(settings).submit(ORDER)
        trusting = settings.model_copy(update={"ca_file": made.authority})
        assert GithubLauncher(trusting).submit(ORDER).id.startswith("q-7@")


def test_an_authority_that_cannot_be_read_stops(token: Path) -> None:
    settings = GithubSettings(repository="owner/name", token_file=token, ca_file=token)
    with pytest.raises(LaunchStopped, match="PEM"):
        GithubLauncher(settings)


def test_neither_claims_to_know_the_champion(token: Path) -> None:
    with github(Service(), token) as one, cloud_build(Service(), token) as other:
        assert [(launcher.champion(), launcher.new_data()) for launcher in (one, other)] == [("", None)] * 2
