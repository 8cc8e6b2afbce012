"""What submitting decides without a server: schedules, names, keys, arguments, and what the end of a run comes to."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pedalflow.errors import PedalflowError, RunCanceled, RunFailed, RunUnfinished, SettingsError
from pedalflow.workspace import Workspace
from pipelines.kubeflow import submit_wait
from pipelines.kubeflow.api_calls import Version
from pipelines.kubeflow.api_errors import TryLater
from pipelines.kubeflow.arguments import champion_arguments
from pipelines.kubeflow.submit import Order, Started, recur, run_name, six_fields, start
from pipelines.kubeflow.submit_arguments import (
    Wish,
    commit_of,
    expected_files,
    image_argument,
    key_of,
    resolve,
    write_arguments,
)
from pipelines.kubeflow.submit_wait import changes, failure
from tests.samples.compiled_golden import GOLDEN, MAKINGS

ROOT = Path(__file__).resolve().parents[4]
SPEC = next(yaml.load_all(GOLDEN.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
VERSION = Version("pipeline-1", "version-2", "cccccccccccc-1", SPEC)
SPAN = {
    "number": 1,
    "rows": 9,
    "first": "2011-01-01",
    "last": "2011-12-31",
    "md5": "abc",
    "file": "span-01.csv",
}
ARGUMENTS = {"spans": json.dumps([SPAN]), "reason": "prices"}
TYPED = (f"spans={json.dumps([SPAN])}", "first_evaluation_day=2011-12-18", "champion=")
WISH = Wish(None, TYPED, None, "", None)
ORDER = Order("pedalflow-recurring", "retraining", VERSION, ARGUMENTS)


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        (" */5  1-3 * JAN MON,TUE ", "0 */5 1-3 * JAN MON,TUE"),
        ("30 0 3 ? * 1", "30 0 3 ? * 1"),
    ],
)
def test_five_fields_get_the_second_that_kubeflow_wants(given: str, cron: str) -> None:
    assert six_fields(given) == cron


@pytest.mark.parametrize(
    "given", ["", "daily", "@daily", "* * * *", "* * * * * * *", "0 3 * * $(x)", "٣ 3 * * *"]
)
def test_what_is_no_schedule_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="is no schedule"):
        six_fields(given)


def test_a_run_is_named_as_the_triggers_name_theirs() -> None:
    assert run_name("pedalflow", "q-814e9357ca30") == "pedalflow-q-814e9357ca30"


@pytest.mark.parametrize("key", ["", "a b", "-a", "a/b", "ä", "a" * 64])
def test_a_key_that_fits_no_name_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match="cannot be part of a run's name"):
        run_name("pedalflow", key)


def test_the_same_version_and_arguments_have_the_same_key_whatever_the_reason() -> None:
    key = key_of(VERSION, ARGUMENTS)
    assert key == key_of(VERSION, {**ARGUMENTS, "reason": "another"})
    assert key != key_of(VERSION, {**ARGUMENTS, "champion": "r-1"})
    assert key != key_of(replace(VERSION, version_id="version-3"), ARGUMENTS)
    assert key != key_of(VERSION, ARGUMENTS, "s3://elsewhere")


@pytest.mark.parametrize(
    ("uri", "folder"),
    [({}, "minio://mlpipeline/pedalflow/spans"), ({"spans_uri": "s3://b/spans"}, "s3://b/spans")],
)
def test_the_files_that_a_run_reads_are_named_with_their_hashes(uri: dict[str, str], folder: str) -> None:
    assert expected_files({**ARGUMENTS, **uri}, VERSION) == [f"{folder}/span-01.csv (md5 abc)"]


def test_a_version_of_other_code_runs_only_as_it_was_deployed() -> None:
    with pytest.raises(SettingsError, match=r"commit cccccccccccc, and this checkout holds .*--as-deployed"):
        resolve(VERSION, Workspace(ROOT), WISH)
    arguments = resolve(VERSION, Workspace(ROOT), replace(WISH, as_deployed=True))
    assert arguments["first_evaluation_day"] == "2011-12-18"
    assert "code" not in arguments, "the version's own default counts"


def test_as_deployed_is_not_as_typed() -> None:
    wish = replace(WISH, assignments=(*TYPED, "code=abc"), as_deployed=True)
    with pytest.raises(SettingsError, match="this checkout holds other code"):
        resolve(VERSION, Workspace(ROOT), wish)


def test_a_version_that_is_none_of_ours_never_runs() -> None:
    foreign = replace(VERSION, spec={"root": {"inputDefinitions": {"parameters": {}}}})
    with pytest.raises(SettingsError, match="was not made by `pedalflow compile`"):
        resolve(foreign, Workspace(ROOT), Wish(None, (), None, "", None, as_deployed=True))


@pytest.mark.parametrize("as_deployed", [True, False])
def test_a_version_never_runs_in_another_image(as_deployed: bool) -> None:
    typed = (*TYPED, f"code={MAKINGS.code}")
    other = replace(WISH, assignments=(*typed, "image_digest=sha256:2"), as_deployed=as_deployed)
    with pytest.raises(
        SettingsError, match=r"version cccccccccccc-1 runs in the image .*1, and not in 'sha256:2'"
    ):
        resolve(VERSION, Workspace(ROOT), other)
    same = replace(other, assignments=(*typed, f"image_digest={MAKINGS.image_digest}"))
    arguments = resolve(VERSION, Workspace(ROOT), same)
    assert "image_digest" not in arguments, "it is the version's, and not what somebody chose"


def test_a_run_says_the_image_argument_its_version_where_that_takes_it() -> None:
    assert image_argument(VERSION) == {"image_digest": MAKINGS.image_digest}
    assert image_argument(replace(VERSION, spec={"root": {}})) == {}


def test_a_version_says_the_commit_of_its_code() -> None:
    assert commit_of(VERSION) == MAKINGS.commit
    assert commit_of(replace(VERSION, spec={"root": {}})) == "unknown"


class Schedules:
    """A server that holds runs and recurring runs, and names an account where none was named."""

    def __init__(self) -> None:
        self.held: list[dict[str, Any]] = []
        self.numbers = itertools.count()

    def experiment(self, name: str) -> str:
        return name

    def run_named(self, experiment: str, name: str) -> None:
        return None

    def recurring_runs(self, experiment: str, name: str) -> list[dict[str, Any]]:
        return list(self.held)

    def make(self, body: Mapping[str, Any]) -> dict[str, Any]:
        identity = f"recurring-{next(self.numbers)}"
        self.held.append({"service_account": "its-own", "recurring_run_id": identity, **body})
        return self.held[-1]

    make_run = make_recurring_run = make

    def delete_recurring_run(self, identity: str) -> None:
        self.held = [recurring for recurring in self.held if recurring["recurring_run_id"] != identity]

    def recur(self, account: str, root: str = "") -> Started:
        order = replace(ORDER, service_account=account, pipeline_root=root)
        return recur(self, order, "0 0 3 * * *")  # type: ignore[arg-type]


def accounts(server: Schedules) -> list[str]:
    return [made["service_account"] for made in server.held]


@pytest.mark.parametrize(("account", "has"), [("trainer", "trainer"), ("", "its-own")])
def test_a_run_has_the_account_that_is_named_or_the_servers_own(account: str, has: str) -> None:
    server = Schedules()
    start(server, replace(ORDER, service_account=account))  # type: ignore[arg-type]
    assert accounts(server) == [has]


def test_a_schedule_with_another_account_takes_the_place_of_the_old_one() -> None:
    server = Schedules()
    assert [server.recur(account).made for account in ("", "trainer", "trainer", "other")] == [
        True,
        True,
        False,
        True,
    ]
    assert accounts(server) == ["other"]


def test_the_account_that_the_server_named_itself_is_no_other_one() -> None:
    server = Schedules()
    assert [server.recur("").made for _ in range(2)] == [True, False]


def test_a_schedule_with_another_pipeline_root_takes_the_place_of_the_old_one() -> None:
    server = Schedules()
    roots = ("", "s3://b/runs", "s3://b/runs", "", "s3://c/runs")
    assert [server.recur("", root).made for root in roots] == [True, True, False, False, True]
    assert server.held[0]["runtime_config"]["pipeline_root"] == "s3://c/runs"


@pytest.mark.parametrize(
    ("name", "uri", "place"),
    [
        ("", "", "minio://b/p/no-champion"),
        ("", "s3://left/over", "minio://b/p/no-champion"),
        ("r-1", "", "minio://b/p/releases/r-1"),
        ("r-1", "s3://known/r-1", "s3://known/r-1"),
    ],
)
def test_a_champion_lies_where_the_registry_says_or_beside_the_storage(
    name: str, uri: str, place: str
) -> None:
    assert champion_arguments(name, "minio://b/p/no-champion", uri) == {
        "champion": name,
        "champion_uri": place,
    }


def test_arguments_are_written_whole_and_leave_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "new" / "arguments.json"
    write_arguments(ARGUMENTS, file)
    write_arguments({"champion": ""}, file)
    assert json.loads(file.read_text(encoding="utf-8")) == {"champion": ""}
    assert list(file.parent.iterdir()) == [file]


def test_arguments_that_cannot_be_written_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"cannot be written.*--arguments-file"):
        write_arguments(ARGUMENTS, tmp_path / "file" / "arguments.json")


def run(state: str, *tasks: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    details = [
        {"display_name": name, "state": of_task, **({"error": {"code": 9, "message": why}} if why else {})}
        for name, of_task, why in tasks
    ]
    return {"run_id": "run-7", "state": state, "run_details": {"task_details": details}, **more}


FAILED = run(
    "FAILED", ("root", "FAILED", ""), ("Trainer", "FAILED", "out of memory"), ("Trainer-driver", "FAILED", "")
)


@pytest.mark.parametrize(
    ("ended", "kind", "said"),
    [
        (run("SUCCEEDED"), None, ""),
        (run("SKIPPED"), None, ""),
        (FAILED, RunFailed, "failed: the task Trainer failed (out of memory); its logs are at PAGE"),
        (run("FAILED", error={"message": "quota"}), RunFailed, "failed: quota"),
        ({"run_id": "run-7", "state": "FAILED"}, RunFailed, "Kubeflow does not say why"),
        (run("CANCELED"), RunCanceled, "the run run-7 was canceled; PAGE"),
        (run("CANCELING"), RunUnfinished, "is still canceling when the time to wait is up"),
        ({"run_id": "run-7"}, RunUnfinished, "is still unspecified"),
    ],
)
def test_each_end_has_its_error(ended: dict[str, Any], kind: type[PedalflowError] | None, said: str) -> None:
    error = failure(ended, "PAGE")
    assert type(error) is (kind or type(None))
    assert said in str(error)


def test_what_is_shown_are_the_tasks_that_people_know() -> None:
    tasks = [
        ("root", "RUNNING", ""),
        ("Trainer", "RUNNING", ""),
        ("Trainer-driver", "SUCCEEDED", ""),
        ("X", "PENDING", ""),
    ]
    assert list(changes(run("RUNNING", *tasks))) == ["  Trainer: running", "the run: running"]


class Server:
    """Gives these answers when it is asked for a run; an error is raised."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def followed(
    monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any] | Exception
) -> tuple[dict[str, Any], list[str]]:
    """How the run ended, and what was said."""
    monkeypatch.setattr(submit_wait.time, "sleep", lambda seconds: None)
    said: list[str] = []
    return submit_wait.follow(Server(*answers), run("PENDING"), said.append), said  # type: ignore[arg-type]


def test_a_server_that_is_away_for_a_while_ends_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    away = TryLater("no answer")
    ended, said = followed(monkeypatch, away, run("RUNNING"), away, run("RUNNING"), run("SUCCEEDED"))
    assert ended["state"] == "SUCCEEDED"
    assert said == [
        "still waiting: no answer",
        "the run: pending",
        "the run: running",
        "still waiting: no answer",
        "the run: succeeded",
    ]


def test_a_server_that_stays_away_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit_wait, "OUTAGE_S", -1.0)
    with pytest.raises(TryLater):
        followed(monkeypatch, TryLater("no answer"))
