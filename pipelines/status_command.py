"""What `pedalflow status` does: reads the workspace and the registry, asks the triggers, changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.command.runtimes import python_of, surroundings
from pedalflow.command.table import TRIGGERS
from pedalflow.errors import EnvironmentMissing, SettingsError
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.run_record import RECORD, RunRecord, from_json
from pedalflow.spans import Span
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans
from pipelines.settings import read_settings

SPAN_HEADERS = ("span", "rows", "first", "last", "state")
RUN_HEADERS = ("run", "finished", "outcome", "RMSE", "release")
REACHED, NOTHING_YET, NOT_REACHABLE = "reached", "nothing registered yet", "not reachable"
UNREADABLE = "unreadable"
# As in components.registry, whose import would load MLflow; a test compares them.
CHAMPION, CHALLENGER, RELEASE_TAG = "champion", "challenger", "pedalflow.release"
# MLflow's own patience with a server that does not answer is minutes; a look at the state should not take them.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
TRIGGERS_PATIENCE_S = 30


@dataclass(frozen=True)
class Serving:
    """What the registry's aliases point to. `registry` says in words how it was found; the names are those of releases."""

    registry: str
    champion: str | None = None
    challenger: str | None = None


def main(argv: list[str]) -> int:
    """Run `pedalflow status` with the given arguments; returns the exit code."""
    arguments = options.parse("status", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    status = read_status(workspace, Progress(sys.stderr))
    if arguments.json:
        print(json.dumps({**status, "triggers": read_triggers(workspace)}, indent=2))
    else:
        print(f"{as_text(status)}\n\n{triggers_text(workspace)}")
    return 0


def read_status(workspace: Workspace, progress: Progress) -> dict[str, Any]:
    """Spans, runs (oldest first, those that cannot be read last), and what the registry's aliases point to.

    Raises SettingsError where `params.yaml`, which says where the registry is, does not hold what it should.
    """
    spans = [_span(span) for span in list_spans(workspace)]
    serving = read_serving(workspace, progress)
    return {
        "workspace": str(workspace.root),
        "spans": spans,
        "runs": read_runs(workspace),
        "registry": serving.registry,
        "champion": serving.champion,
        "challenger": serving.challenger,
    }


def read_runs(workspace: Workspace) -> list[dict[str, Any]]:
    """A row for each run. Where its record cannot be read, the outcome is `unreadable` and `problem` names file and reason."""
    rows = [_read_run(path) for path in sorted(workspace.runs.glob(f"*/{RECORD}"))]
    return sorted(rows, key=lambda row: (row["outcome"] == UNREADABLE, row["finished"] or ""))


def read_serving(workspace: Workspace, progress: Progress) -> Serving:
    """Ask the registry that `params.yaml` names. One that cannot be asked is said in words; none is created."""
    registry = read_settings(workspace.params).registry
    uri = registry.tracking_uri or workspace.mlflow_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return Serving(NOTHING_YET)
    with progress.step("asking the registry"):
        return _ask(uri, registry.name)


def read_triggers(workspace: Workspace) -> Any:
    """What the triggers know: None where no event has come yet, `{"problem": …}` where they cannot be asked."""
    try:
        return json.loads(_ask_triggers(workspace, "--json"))
    except (EnvironmentMissing, _TriggersSilent) as error:
        return {"problem": str(error)}


def triggers_text(workspace: Workspace) -> str:
    """The same as people read it; in one line where they cannot be asked."""
    try:
        return _ask_triggers(workspace)
    except (EnvironmentMissing, _TriggersSilent) as error:
        return f"Triggers:   {error}"


class _TriggersSilent(Exception):
    """The triggers' own command did not answer; the message says why."""


def _ask_triggers(workspace: Workspace, *flags: str) -> str:
    """What the triggers' own command prints, in their own environment, whose libraries exclude those of this one."""
    command = [str(python_of(TRIGGERS)), "-m", "triggers.status_command", "--workspace", str(workspace.root)]
    try:
        done = subprocess.run(
            [*command, *flags],
            cwd=options.ROOT,
            env=surroundings(os.environ, verbose=False),
            capture_output=True,
            text=True,
            timeout=TRIGGERS_PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise _TriggersSilent(f"they did not answer within {TRIGGERS_PATIENCE_S} s") from error
    if done.returncode != 0:
        raise _TriggersSilent((done.stderr.strip().splitlines() or ["they did not answer"])[-1])
    return done.stdout.rstrip()


def as_text(status: dict[str, Any]) -> str:
    """Spans, runs and registry as people read them."""
    spans = table([list(span.values()) for span in status["spans"]], SPAN_HEADERS)
    runs = table([_cells(run) for run in status["runs"]], RUN_HEADERS)
    problems = "".join(f"\nUnreadable: {run['problem']}" for run in status["runs"] if run["problem"])
    return f"Workspace {status['workspace']}\n\n{spans}\n\n{runs}{problems}\n\n{_serving_text(status)}"


def _serving_text(status: dict[str, Any]) -> str:
    if status["registry"].startswith(NOT_REACHABLE):
        return f"Registry: {status['registry']}"
    if status["registry"] == NOTHING_YET:
        return f"Registry: {NOTHING_YET}; `pedalflow train --until-span 1` makes the first release"
    return f"Champion:   {status['champion'] or 'none'}\nChallenger: {status['challenger'] or 'none'}"


def _ask(uri: str, name: str) -> Serving:
    """What the aliases of the registered model `name` point to."""
    for variable, value in IMPATIENT.items():
        os.environ.setdefault(variable, value)
    # MLflow takes seconds to import, and a workspace without a registry need not wait for it.
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = MlflowClient(uri)
        aliases = client.get_registered_model(name).aliases
        champion, challenger = (
            _release(client, name, aliases.get(alias)) for alias in (CHAMPION, CHALLENGER)
        )
        return Serving(REACHED, champion, challenger)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return Serving(NOTHING_YET)
        return Serving(_not_reachable(error))
    except (
        SQLAlchemyError,
        OSError,
        ImportError,
    ) as error:  # a broken file, no network, a database without its driver
        return Serving(_not_reachable(error))


def _release(client: Any, name: str, number: str | None) -> str | None:
    """The release of one version; a version that is not Pedalflow's is named by its number."""
    if number is None:
        return None
    tags: dict[str, str] = client.get_model_version(name, number).tags
    return tags.get(RELEASE_TAG) or f"version {number}, which is no release of Pedalflow's"


def _not_reachable(error: Exception) -> str:
    return f"{NOT_REACHABLE}: {' '.join(str(error).split())[:300]}"


def _span(span: Span) -> dict[str, Any]:
    values = (span.number, span.rows, span.first, span.last, span.state.value)
    return dict(zip(SPAN_HEADERS, values, strict=True))


def _read_run(path: Path) -> dict[str, Any]:
    try:
        return _run(from_json(path.read_text(encoding="utf-8")))
    except (SettingsError, OSError, UnicodeDecodeError) as error:
        said = str(error) if str(path) in str(error) else f"{path}: {error}"
        nothing = dict.fromkeys(("finished", "outcome", "rmse", "release", "version"))
        return {"run": path.parent.name, **nothing, "outcome": UNREADABLE, "problem": said}


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "finished": run.finished,
        "outcome": run.outcome,
        "rmse": run.candidate.rmse,
        "release": run.release_id,
        "version": run.model_version,
        "problem": None,
    }


def _cells(run: dict[str, Any]) -> list[object]:
    rmse = None if run["rmse"] is None else f"{run['rmse']:.1f}"
    return [run["run"], run["finished"], run["outcome"], rmse, run["release"]]


if __name__ == "__main__":
    sys.exit(outermost(main))
