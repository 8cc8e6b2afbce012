"""`pedalflow deploy` and `pedalflow submit` over real HTTP, against a stand-in that is held against the API's published schema."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pedalflow.command.runtimes import python_of
from pedalflow.errors import EnvironmentMissing
from pedalflow.workspace import Workspace
from tests.integration.kubeflow.conftest import COMPILE
from tests.samples.kfp_api_process import KfpProcess, kfp_process
from tests.samples.project_copy import Done, Project, environment, small_workspace

DEPLOY, SUBMIT = "pipelines.kubeflow.deploy_command", "pipelines.kubeflow.submit_command"
IMAGE = f"registry.example.org/pedalflow-pipelines@sha256:{'1' * 64}"
TOKEN = "a-token-that-nobody-may-see"
FINE, BREAK = 200, 0
FIRST = ("--param", "champion=")  # no champion yet, so no registry is asked
CHAMPION = """
import sys
from mlflow import MlflowClient

client = MlflowClient(sys.argv[1])
client.create_registered_model("bike-demand")
tags = {"pedalflow.release": "r-7", "pedalflow.checksum": "1", "pedalflow.uri": "s3://releases/r-7"}
client.create_model_version("bike-demand", "/nowhere", tags=tags)
client.set_registered_model_alias("bike-demand", "champion", "1")
"""


@pytest.fixture
def api() -> Iterator[KfpProcess]:
    try:
        python = python_of("triggers")
    except EnvironmentMissing as error:
        pytest.skip(f"the stand-in for Kubeflow needs it: {error}")
    with kfp_process(python) as serving:
        yield serving


@pytest.fixture(scope="module")
def published(project: Project, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled file that names a published image."""
    folder = tmp_path_factory.mktemp("published")
    workspace = small_workspace(folder / "workspace", data)
    file = folder / "pedalflow.yaml"
    made = project.run(COMPILE, "--workspace", str(workspace.root), "--output", str(file), "--image", IMAGE)
    assert made.code == 0, made.stderr
    return file


@pytest.fixture
def workspace(data: Path, tmp_path: Path) -> Workspace:
    return small_workspace(tmp_path / "workspace", data)


class Commands:
    """The two commands against one server."""

    def __init__(self, project: Project, api: KfpProcess, workspace: Workspace, file: Path) -> None:
        self.project, self.api, self.workspace, self.file = project, api, workspace, file

    def deploy(self, *options: str) -> Done:
        return self.project.run(DEPLOY, str(self.file), *self._common(), *options)

    def submit(self, *options: str) -> Done:
        return self.project.run(SUBMIT, *self._common(), *options)

    def start(self, module: str, *options: str) -> subprocess.Popen[str]:
        """The command as a process that is at work."""
        return subprocess.Popen(
            self.project.command(module, *self._common(), *options),
            cwd=self.project.root,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def held(self, name: str) -> list[Any]:
        """What the server holds."""
        content: list[Any] = self.api.tell()[name]
        return content

    def _common(self) -> list[str]:
        return ["--workspace", str(self.workspace.root), "--host", self.api.address]


@pytest.fixture
def commands(project: Project, api: KfpProcess, workspace: Workspace, published: Path) -> Commands:
    return Commands(project, api, workspace, published)


@pytest.fixture
def deployed(commands: Commands) -> Commands:
    """With a version on the server."""
    assert commands.deploy().code == 0
    return commands


def ok(done: Done) -> Any:
    """What a command with `--json` said."""
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def default(deployed: Commands, parameter: str) -> Any:
    """A parameter's default in the version on the server."""
    spec = deployed.held("versions")[0]["pipeline_spec"]["pipeline_spec"]
    return spec["root"]["inputDefinitions"]["parameters"][parameter]["defaultValue"]


def test_the_first_upload_has_the_commits_name_and_the_next_changes_nothing(commands: Commands) -> None:
    first, again = ok(commands.deploy("--json")), ok(commands.deploy("--json"))
    assert (first["made"], again["made"]) == (True, False)
    assert {**first, "made": False} == again
    assert first["commit"] == commands.project.commit
    (version,) = commands.held("versions")
    assert version["display_name"] == first["version"]
    assert version["display_name"].startswith(f"{commands.project.commit[:12]}-")
    assert version["tags"]["commit"] == commands.project.commit
    assert version["tags"]["data"].startswith("spans-1-2-")
    assert "platform_spec" in version["pipeline_spec"], "both documents of the file went up"
    assert "is there already" in commands.deploy().stdout


def test_another_image_of_the_same_commit_is_another_version_and_the_newest_runs(
    deployed: Commands, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(deployed.file.read_text().replace("1" * 64, "2" * 64))
    deployed.file = other
    newest = ok(deployed.deploy("--json"))
    assert len(deployed.held("pipelines")) == 1
    assert len({version["display_name"] for version in deployed.held("versions")}) == 2
    assert ok(deployed.submit("--json", *FIRST))["version_id"] == newest["version_id"]


@pytest.mark.parametrize("named_by", ["version", "version_id"])
def test_what_deploy_prints_is_what_submit_runs_though_a_newer_version_is_there(
    commands: Commands, tmp_path: Path, named_by: str
) -> None:
    first = ok(commands.deploy("--json"))
    newer = tmp_path / "newer.yaml"
    newer.write_text(commands.file.read_text().replace("1" * 64, "2" * 64))
    commands.file = newer
    assert commands.deploy().code == 0
    said = ok(commands.submit("--json", *FIRST, "--version", first[named_by]))
    (run,) = commands.held("runs")
    assert run["pipeline_version_reference"]["pipeline_version_id"] == first["version_id"]
    assert (said["version"], said["version_id"]) == (first["version"], first["version_id"])


def test_a_checkout_that_is_ahead_runs_what_is_deployed_when_it_is_told_to(
    deployed: Commands, tmp_path: Path
) -> None:
    behind = tmp_path / "behind.yaml"
    behind.write_text(deployed.file.read_text().replace(default(deployed, "code"), "e" * 64))
    deployed.file = behind
    assert deployed.deploy().code == 0
    refused = deployed.submit(*FIRST)
    assert (refused.code, "start the version as it is with --as-deployed" in refused.stderr) == (2, True)
    done = deployed.submit("--json", *FIRST, "--as-deployed")
    (run,) = deployed.held("runs")
    assert ok(done)["run"] == run["run_id"]
    assert f"with the code of commit {deployed.project.commit}\n" in done.stderr
    assert "code" not in run["runtime_config"]["parameters"]


@pytest.mark.parametrize(
    "failures",
    [
        [FINE, BREAK],  # the answer to the new pipeline is lost
        [FINE, FINE, FINE, BREAK],  # the answer to the upload is lost
        [FINE, FINE, FINE, 503],
        [BREAK, 429],
    ],
)
def test_an_answer_that_is_lost_makes_nothing_twice(commands: Commands, failures: list[int]) -> None:
    commands.api.tell(failures=failures)
    assert ok(commands.deploy("--json"))["made"] is True
    assert (len(commands.held("pipelines")), len(commands.held("versions"))) == (1, 1)


def test_two_deployments_at_the_same_time_make_one_version(commands: Commands) -> None:
    at_work = [commands.start(DEPLOY, str(commands.file)) for _ in range(3)]
    said = [process.communicate() for process in at_work]
    assert [process.returncode for process in at_work] == [0, 0, 0], said
    assert (len(commands.held("pipelines")), len(commands.held("versions"))) == (1, 1)


def test_a_file_for_rehearsals_is_not_deployed(commands: Commands, tmp_path: Path) -> None:
    rehearsed = tmp_path / "rehearsed.yaml"
    rehearsed.write_text(commands.file.read_text().replace("1" * 64, "0" * 64))
    commands.file = rehearsed
    refused = commands.deploy()
    assert (refused.code, "was never published" in refused.stderr) == (2, True)
    assert commands.held("pipelines") == []


def test_a_run_is_of_the_version_the_window_and_the_champion(deployed: Commands) -> None:
    said = ok(
        deployed.submit(
            "--json", "--param", "champion=r-1", "--param", "model_epochs=2", "--reason", "prices"
        )
    )
    (run,), (version,) = deployed.held("runs"), deployed.held("versions")
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    given = run["runtime_config"]["parameters"]
    assert [(span["number"], span["file"]) for span in json.loads(given.pop("spans"))] == [
        (1, "span-01.csv"),
        (2, "span-02.csv"),
    ]
    assert given == {
        "first_evaluation_day": "2012-01-18",
        "champion": "r-1",
        "champion_uri": "minio://mlpipeline/pedalflow/releases/r-1",
        "model_epochs": 2,
        "reason": "prices",
        "idempotency_key": said["name"].removeprefix("pedalflow-"),
        "image_digest": IMAGE.partition("@")[2],
    }
    assert set(run["runtime_config"]) == {"parameters"}, "the pipeline root is the version's own"
    assert (said["run"], said["made"]) == (run["run_id"], True)
    assert said["page"] == f"{deployed.api.address}/#/runs/details/{run['run_id']}"


def test_the_champion_is_the_one_of_the_registry(deployed: Commands) -> None:
    registry = f"sqlite:///{deployed.workspace.root / 'mlflow.sqlite'}"
    subprocess.run(
        [*deployed.project.command("-")[:1], "-c", CHAMPION, registry], check=True, capture_output=True
    )
    given = ok(deployed.submit("--json", "--registry-uri", registry))["arguments"]
    assert (given["champion"], given["champion_uri"]) == ("r-7", "s3://releases/r-7")


def test_the_pointers_are_enough_to_name_the_data(deployed: Commands) -> None:
    for file in deployed.workspace.spans.glob("*.csv"):
        file.unlink()
    done = deployed.submit(*FIRST, "--until-span", "1", "--spans-uri", "s3://bikes/spans")
    assert done.code == 0, done.stderr
    assert "\n  s3://bikes/spans/span-01.csv (md5 " in done.stdout
    assert "span-02" not in done.stdout


def test_the_same_arguments_are_the_same_run_until_another_is_asked_for(deployed: Commands) -> None:
    first = ok(deployed.submit("--json", *FIRST))
    same = ok(deployed.submit("--json", *FIRST, "--reason", "said otherwise"))
    other_data = ok(deployed.submit("--json", *FIRST, "--until-span", "1"))
    again = ok(deployed.submit("--json", *FIRST, "--again"))
    own_code = f"code={default(deployed, 'code')}"
    assert ok(deployed.submit("--json", *FIRST, "--param", own_code))["run"] == first["run"]
    assert (same["run"], same["made"]) == (first["run"], False)
    assert len({first["run"], other_data["run"], again["run"]}) == len(deployed.held("runs")) == 3


def test_a_run_that_the_triggers_started_is_found_by_its_key(deployed: Commands) -> None:
    key = ("--idempotency-key", "q-814e9357ca30")
    first = ok(deployed.submit("--json", *FIRST, *key))
    assert first["name"] == "pedalflow-q-814e9357ca30"
    same = ok(deployed.submit("--json", *FIRST, *key, "--until-span", "1"))
    assert (same["run"], same["arguments"]) == (first["run"], first["arguments"]), (
        "what runs is what is shown"
    )


def test_the_pipeline_root_is_a_parameter_of_kubeflows_run(deployed: Commands) -> None:
    root = ("--pipeline-root", "s3://bikes/runs")
    first, elsewhere = (ok(deployed.submit("--json", *FIRST, *where)) for where in ((), root))
    again = ok(deployed.submit("--json", *FIRST, *root))
    assert (elsewhere["made"], again["made"]) == (True, False)
    assert len({first["run"], elsewhere["run"]}) == len(deployed.held("runs")) == 2
    assert deployed.submit(*FIRST, *root, "--recurring", "0 3 * * *").code == 0
    made = [deployed.held("runs")[1], *deployed.held("recurring_runs")]
    assert [thing["runtime_config"]["pipeline_root"] for thing in made] == ["s3://bikes/runs"] * 2
    assert all("pipeline_root" not in thing["runtime_config"]["parameters"] for thing in made)


@pytest.mark.parametrize(
    "failures",
    [
        [FINE, FINE, FINE, BREAK],  # the answer to the new experiment is lost
        [FINE, FINE, FINE, FINE, FINE, BREAK],  # the answer to the new run is lost
        [FINE, FINE, FINE, FINE, FINE, 503],
    ],
)
def test_an_answer_that_is_lost_starts_nothing_twice(deployed: Commands, failures: list[int]) -> None:
    deployed.api.tell(failures=failures)
    said = ok(deployed.submit("--json", *FIRST))
    assert [run["run_id"] for run in deployed.held("runs")] == [said["run"]]
    assert len(deployed.held("experiments")) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--param", "colour=red"), 2, "'colour=red' is not NAME=VALUE with one of"),
        (("--param", "model_epochs=many"), 2, "is no value for a parameter of the kind NUMBER_INTEGER"),
        (("--param", "code=abc"), 2, "this checkout holds other code (abc…)"),
        (("--param", "image_digest=sha256:2"), 2, "and not in 'sha256:2'; name the version"),
        (("--pipeline-root", "/mnt/runs"), 2, "the pipeline root '/mnt/runs' is in no object store"),
        (("--pipeline-root", "s3://b", "--arguments-file", "x"), 2, "--arguments-file cannot hold it"),
        (("--param", "spans=[]", "--param", "first_evaluation_day=2012-01-18"), 2, "nothing to train on"),
        (("--param", "first_evaluation_day=2012-01-18"), 2, "needs the parameters spans"),
        (("--version", "v-9"), 2, "has no version v-9"),
        (("--pipeline", "another"), 2, "no pipeline another on the server; `pedalflow deploy` uploads it"),
        (("--until-span", "9"), 3, "span 3 has not arrived"),
        (("--idempotency-key", "a b"), 2, "cannot be part of a run's name"),
        (("--timeout-s", "5"), 2, "it needs --wait"),
        (("--again", "--recurring", "0 3 * * *"), 2, "leave it out"),
        (("--recurring", "daily"), 2, "is no schedule"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(
    deployed: Commands, options: tuple[str, ...], code: int, said: str
) -> None:
    refused = deployed.submit(*FIRST, *options)
    assert (refused.code, said in refused.stderr) == (code, True), refused.stderr
    assert deployed.held("runs") == deployed.held("recurring_runs") == []


def test_a_version_is_named_or_known_by_its_id(deployed: Commands) -> None:
    (version,) = deployed.held("versions")
    for wanted in (version["display_name"], version["pipeline_version_id"]):
        assert (
            ok(deployed.submit("--json", *FIRST, "--version", wanted))["version_id"]
            == version["pipeline_version_id"]
        )


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("SUCCEEDED", 0, ""),
        ("SKIPPED", 0, ""),
        ("FAILED", 7, "failed: the task Trainer failed (out of memory); its logs are at http://"),
        ("CANCELED", 9, "was canceled"),
        ("CANCELING", 10, "is still canceling"),
    ],
)
def test_waiting_ends_as_the_run_ends(deployed: Commands, state: str, code: int, said: str) -> None:
    run = ok(deployed.submit("--json", *FIRST))["run"]
    failed = {"display_name": "Trainer", "state": "FAILED", "error": {"code": 9, "message": "out of memory"}}
    details = {"run_details": {"task_details": [failed]}} if state == "FAILED" else {}
    deployed.api.tell(state=[run, state, details])
    done = deployed.submit("--json", *FIRST, "--wait", "--timeout-s", "0.3")
    assert (done.code, said in done.stderr) == (code, True), done.stderr
    assert json.loads(done.stdout)["state"] == state


def test_a_run_is_followed_through_all_its_states(deployed: Commands) -> None:
    trainer = {"run_details": {"task_details": [{"display_name": "Trainer", "state": "RUNNING"}]}}
    steps = iter(
        [
            ("the run: pending\n", "RUNNING", trainer),
            ("  Trainer: running\n", "CANCELING", {}),
            ("the run: canceling\n", "CANCELED", {}),
        ]
    )
    with deployed.start(SUBMIT, *FIRST, "--wait") as process:
        assert process.stderr
        expected, state, more = next(steps)
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line == expected:
                deployed.api.tell(
                    failures=[503, BREAK], state=[deployed.held("runs")[0]["run_id"], state, more]
                )
                expected, state, more = next(steps, ("", "", {}))
    assert process.returncode == 9
    assert lines[-1].startswith("pedalflow: the run run-")
    assert len(lines) == len(set(lines)), "each change is said once"


def test_ctrl_c_lets_the_run_go_on(deployed: Commands) -> None:
    with deployed.start(SUBMIT, *FIRST, "--wait") as process:
        assert process.stderr
        said = ""
        for line in process.stderr:
            said += line
            if line == "the run: pending\n":
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert "the run goes on: http://" in said
    assert [run["state"] for run in deployed.held("runs")] == ["PENDING"]


def test_a_schedule_is_one_recurring_run_however_often_it_is_asked_for(deployed: Commands) -> None:
    first, same = (ok(deployed.submit("--json", *FIRST, "--recurring", "0 3 * * *")) for _ in range(2))
    assert (first["made"], same["made"], same["recurring_run"]) == (True, False, first["recurring_run"])
    (made,) = deployed.held("recurring_runs")
    assert (made["max_concurrency"], made["no_catchup"], made["mode"]) == ("1", True, "ENABLE")
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert made["display_name"] == "pedalflow-recurring"


@pytest.mark.parametrize(
    "change",
    [
        ("--recurring", "0 4 * * *"),
        ("--recurring", "0 3 * * *", "--until-span", "1"),
        ("--recurring", "0 3 * * *", "--service-account", "trainer"),
        ("--recurring", "0 3 * * *", "--pipeline-root", "s3://bikes/runs"),
    ],
)
def test_a_changed_schedule_takes_the_place_of_the_old_one(
    deployed: Commands, change: tuple[str, ...]
) -> None:
    before = ok(deployed.submit("--json", *FIRST, "--recurring", "0 3 * * *"))
    after = ok(deployed.submit("--json", *FIRST, *change))
    assert [r["recurring_run_id"] for r in deployed.held("recurring_runs")] == [after["recurring_run"]]
    assert after["recurring_run"] != before["recurring_run"]


def test_a_run_and_a_schedule_have_the_account_that_is_named(deployed: Commands) -> None:
    account = ("--service-account", "trainer")
    assert deployed.submit(*FIRST, *account).code == 0
    assert deployed.submit(*FIRST, *account, "--recurring", "0 3 * * *").code == 0
    made = [*deployed.held("runs"), *deployed.held("recurring_runs")]
    assert [thing["service_account"] for thing in made] == ["trainer", "trainer"]


def test_the_arguments_file_has_what_the_triggers_need_and_starts_nothing(
    deployed: Commands, tmp_path: Path
) -> None:
    file = tmp_path / "arguments.json"
    said = ok(
        deployed.submit("--json", *FIRST, "--spans-uri", "s3://bikes/spans", "--arguments-file", str(file))
    )
    written = json.loads(file.read_text(encoding="utf-8"))
    assert set(written) == {"spans", "spans_uri", "first_evaluation_day", "champion", "champion_uri"}
    assert written == said["arguments"]
    assert all(isinstance(value, str) for value in written.values())
    assert deployed.held("runs") == []


@pytest.mark.parametrize(
    "trouble", [{"token": "another"}, {"failures": [500] * 9}, {"failures": [BREAK] * 9}, {}]
)
def test_the_token_is_sent_and_never_shown(
    commands: Commands, tmp_path: Path, trouble: dict[str, Any]
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    commands.api.tell(token=TOKEN)
    commands.api.tell(**trouble)
    done = commands.deploy("--token-file", str(file), "--verbose")
    assert (done.code == 0) is (not trouble), done.stderr
    logs = "".join(log.read_text() for log in commands.workspace.state.rglob("*.log"))
    assert TOKEN not in done.stdout + done.stderr + logs


def test_with_several_users_everything_belongs_to_the_namespace(commands: Commands) -> None:
    commands.api.tell(several_users=True)
    team = ("--namespace", "team")
    assert commands.deploy(*team).code == 0
    assert commands.submit(*FIRST, *team).code == 0
    (pipeline,), (experiment,) = commands.held("pipelines"), commands.held("experiments")
    assert (pipeline["namespace"], experiment["namespace"]) == ("team", "team")


def test_a_pipeline_that_all_share_runs_where_the_namespace_has_none(deployed: Commands) -> None:
    deployed.api.tell(several_users=True)
    assert deployed.submit(*FIRST, "--namespace", "team").code == 0
    refused = deployed.submit(*FIRST)
    assert (refused.code, "empty namespace" in refused.stderr) == (2, True), refused.stderr
