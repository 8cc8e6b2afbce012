"""The rehearsal, on small pipelines whose containers are functions: order, wiring, failures, retries, conditions, the exit handler."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pedalflow.command import options
from pedalflow.errors import SettingsError
from pedalflow.workspace import Workspace
from pipelines.kubeflow import rehearse_command
from pipelines.kubeflow.compiled import CompiledPipeline, complete, read_assignments, read_compiled
from pipelines.kubeflow.entrypoint import ROOT_VARIABLE
from pipelines.kubeflow.places import LauncherFolders
from pipelines.kubeflow.rehearsal.conditions import holds
from pipelines.kubeflow.rehearsal.driver import Run
from pipelines.kubeflow.rehearsal.launcher import LONGEST_ARGUMENT
from pipelines.kubeflow.rehearsal.orchestrator import Orchestrator, ordered
from pipelines.kubeflow.rehearsal.outcome import Rehearsal
from pipelines.kubeflow.rehearsal.processes import Cold
from pipelines.kubeflow.rehearsal.store import ObjectStore
from tests.samples.compiled_golden import GOLDEN

TYPE = {"artifactType": {"instanceSchema": "title: tfx.Model\ntype: object\n"}}
Spec = dict[str, Any]
Act = Callable[[dict[str, Any], LauncherFolders], int]


class Functions:
    """Runs a function in the place of each container; its name is the first argument, its ExecutorInput the second."""

    def __init__(self, acts: Mapping[str, Act]) -> None:
        self.acts = acts
        self.calls: list[str] = []
        self.handed: dict[str, Any] = {}

    def run(self, words: Sequence[str], variables: Mapping[str, str], log: Path) -> int:
        name, handed = words[1], json.loads(words[2])
        self.calls.append(name)
        self.handed[name] = handed
        log.write_text(f"{name} was here", encoding="utf-8")
        return self.acts.get(name, nothing)(handed, LauncherFolders(Path(variables[ROOT_VARIABLE])))


class Quiet:
    """Shows nothing."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        yield


def nothing(handed: dict[str, Any], folders: LauncherFolders) -> int:
    return 0


def fails(handed: dict[str, Any], folders: LauncherFolders) -> int:
    return 3


def writes(handed: dict[str, Any], folders: LauncherFolders) -> int:
    """A file, an empty folder, a value, and metadata."""
    uri = handed["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"]
    folder = Path(folders.local(uri))
    (folder / "empty").mkdir(parents=True)
    (folder / "file").write_text("content", encoding="utf-8")
    made = {"artifacts": {"model": {"artifacts": [{"uri": uri, "metadata": {"blessed": 1}}]}}}
    output = Path(handed["outputs"]["outputFile"])
    output.parent.mkdir(parents=True)
    output.write_text(json.dumps({**made, "parameterValues": {"size": 7}}), encoding="utf-8")
    return 0


def task(name: str, *waits: str, **more: Any) -> Spec:
    return {"componentRef": {"name": name}, "dependentTasks": list(waits), "taskInfo": {"name": name}, **more}


def pipeline(tasks: Mapping[str, Spec], components: Mapping[str, Spec] | None = None) -> CompiledPipeline:
    """A pipeline of these tasks; what is not said of a component is that it has no inputs and no outputs."""
    defined = {name: {"executorLabel": name} for name in tasks} | {
        name: {"executorLabel": name, **definition} for name, definition in (components or {}).items()
    }
    containers = {
        name: {"container": {"command": ["run", name], "args": ["{{$}}"], "image": "x"}}
        for name, definition in defined.items()
        if "importer" not in definition and "dag" not in definition
    }
    importers = {name: {"importer": d["importer"]} for name, d in defined.items() if "importer" in d}
    return CompiledPipeline(
        {
            "pipelineInfo": {"name": "small"},
            "root": {"dag": {"tasks": dict(tasks)}},
            "components": defined,
            "deploymentSpec": {"executors": {**containers, **importers}},
        },
        {},
    )


class Rehearsing:
    """A rehearsal in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ObjectStore(folder / "store")
        self.runner = Functions({})

    def __call__(
        self, small: CompiledPipeline, acts: Mapping[str, Act] | None = None, **arguments: Any
    ) -> Rehearsal:
        self.runner = Functions(acts or {})
        run = Run("run-1", "a run", "small", "minio://bucket/root")
        return Orchestrator(small, self.store, self.runner, run, self.folder, Quiet()).rehearse(arguments)


@pytest.fixture
def rehearse(tmp_path: Path) -> Rehearsing:
    return Rehearsing(tmp_path)


def states(rehearsal: Rehearsal) -> dict[str, str]:
    return {task.name: task.state for task in rehearsal.tasks}


PRODUCER = {
    "outputDefinitions": {
        "artifacts": {"model": TYPE},
        "parameters": {"size": {"parameterType": "NUMBER_INTEGER"}},
    }
}
CONSUMER = {
    "inputDefinitions": {
        "artifacts": {"model": TYPE},
        "parameters": {"size": {"parameterType": "NUMBER_INTEGER"}},
    }
}
CONSUMES = {
    "artifacts": {"model": {"taskOutputArtifact": {"producerTask": "first", "outputArtifactKey": "model"}}},
    "parameters": {"size": {"taskOutputParameter": {"producerTask": "first", "outputParameterKey": "size"}}},
}


def test_a_task_comes_after_all_that_it_waits_for() -> None:
    assert list(ordered({"a": task("a", "c"), "b": task("b"), "c": task("c", "b")})) == ["b", "c", "a"]


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="a, b wait for each other"):
        list(ordered({"a": task("a", "b"), "b": task("b", "a")}))


def test_an_output_reaches_the_next_task_through_the_store(rehearse: Rehearsing) -> None:
    seen: list[str] = []

    def reads(handed: dict[str, Any], folders: LauncherFolders) -> int:
        folder = Path(folders.local(handed["inputs"]["artifacts"]["model"]["artifacts"][0]["uri"]))
        seen.extend(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
        return 0

    tasks = {"first": task("first"), "second": task("second", "first", inputs=CONSUMES)}
    small = pipeline(tasks, {"first": PRODUCER, "second": CONSUMER})
    done = rehearse(small, {"first": writes, "second": reads})
    assert states(done) == {"first": "SUCCEEDED", "second": "SUCCEEDED"}
    assert seen == ["file"], "an object store keeps no empty folder"


def test_an_input_is_handed_over_as_kubeflows_driver_does(rehearse: Rehearsing) -> None:
    tasks = {"first": task("first"), "second": task("second", "first", inputs=CONSUMES)}
    rehearse(pipeline(tasks, {"first": PRODUCER, "second": CONSUMER}), {"first": writes})
    inputs = rehearse.runner.handed["second"]["inputs"]
    (model,) = inputs["artifacts"]["model"]["artifacts"]
    assert model["type"] == {"instanceSchema": ""}
    assert model["uri"].startswith("minio://bucket/root/small/run-1/first/")
    assert model["metadata"] == {"blessed": 1}
    assert inputs["parameterValues"] == {"size": 7}


def test_a_task_that_fails_stops_its_dependents_and_no_others(rehearse: Rehearsing) -> None:
    tasks = {"a": task("a"), "b": task("b", "a"), "c": task("c", "b"), "other": task("other")}
    done = rehearse(pipeline(tasks), {"a": fails})
    assert states(done) == {"a": "FAILED", "b": "SKIPPED", "c": "SKIPPED", "other": "SUCCEEDED"}
    assert rehearse.runner.calls == ["a", "other"]
    assert done.failed is not None
    assert (done.failed.name, done.failed.code, done.failed.why) == ("a", 3, "a was here")


def test_nothing_of_a_task_that_fails_is_collected(rehearse: Rehearsing) -> None:
    def half(handed: dict[str, Any], folders: LauncherFolders) -> int:
        return writes(handed, folders) or 3

    rehearse(pipeline({"first": task("first")}, {"first": PRODUCER}), {"first": half})
    assert not rehearse.store.root.exists()


def exit_handled() -> CompiledPipeline:
    given = {"inputDefinitions": {"parameters": {"status": {"parameterType": "TASK_FINAL_STATUS"}}}}
    handler = task("handler", "inner", triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"})
    handler["inputs"] = {"parameters": {"status": {"taskFinalStatus": {"producerTask": "inner"}}}}
    inner = {"dag": {"tasks": {"a": task("a"), "b": task("b", "a")}}}
    return pipeline(
        {"inner": task("inner"), "handler": handler}, {"inner": inner, "handler": given, "a": {}, "b": {}}
    )


@pytest.mark.parametrize(("act", "state"), [(fails, "FAILED"), (nothing, "SUCCEEDED")])
def test_the_exit_handler_runs_whatever_happened_and_is_told(
    act: Act, state: str, rehearse: Rehearsing
) -> None:
    done = rehearse(exit_handled(), {"a": act})
    assert states(done)["handler"] == "SUCCEEDED"
    status = rehearse.runner.handed["handler"]["inputs"]["parameterValues"]["status"]
    assert status["state"] == state
    assert status.get("error", {}).get("message") == ("a was here" if state == "FAILED" else None)


def test_a_task_is_tried_again_as_often_as_its_policy_says(rehearse: Rehearsing) -> None:
    done = rehearse(pipeline({"a": task("a", retryPolicy={"maxRetryCount": 2})}), {"a": fails})
    assert [(t.state, t.attempts) for t in done.tasks] == [("FAILED", 3)]


def test_a_task_that_succeeds_when_tried_again_has_succeeded(rehearse: Rehearsing) -> None:
    codes = iter([3, 0])
    done = rehearse(
        pipeline({"a": task("a", retryPolicy={"maxRetryCount": 2})}),
        {"a": lambda handed, folders: next(codes)},
    )
    assert [(t.state, t.attempts) for t in done.tasks] == [("SUCCEEDED", 2)]


@pytest.mark.parametrize(("wish", "state"), [("yes", "SUCCEEDED"), ("no", "NOT_TRIGGERED")])
def test_a_condition_decides_whether_a_task_runs(wish: str, state: str, rehearse: Rehearsing) -> None:
    asked = task("a", triggerPolicy={"condition": "inputs.parameter_values['wish'] == 'yes'"})
    asked["inputs"] = {"parameters": {"wish": {"componentInputParameter": "wish"}}}
    given = {"inputDefinitions": {"parameters": {"wish": {"parameterType": "STRING"}}}}
    done = rehearse(pipeline({"a": asked}, {"a": given}), wish=wish)
    assert states(done) == {"a": state}


def importing(uri: str) -> CompiledPipeline:
    source = task("source", inputs={"parameters": {"artifact_uri": {"runtimeValue": {"constant": uri}}}})
    definition = {
        "importer": {"artifactUri": {"runtimeParameter": "artifact_uri"}},
        "inputDefinitions": {"parameters": {"artifact_uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {"result": TYPE}},
    }
    reads = {
        "artifacts": {
            "model": {"taskOutputArtifact": {"producerTask": "source", "outputArtifactKey": "result"}}
        }
    }
    reader = {"inputDefinitions": {"artifacts": {"model": TYPE}}}
    return pipeline(
        {"source": source, "reader": task("reader", "source", inputs=reads)},
        {"source": definition, "reader": reader},
    )


def test_an_importer_brings_what_lies_at_its_uri(rehearse: Rehearsing) -> None:
    rehearse.store.path("s3://b/spans").mkdir(parents=True)
    (rehearse.store.path("s3://b/spans") / "span.csv").write_text("1", encoding="utf-8")
    seen: list[bool] = []

    def reads(handed: dict[str, Any], folders: LauncherFolders) -> int:
        seen.append(Path(folders.local("s3://b/spans/span.csv")).is_file())
        return 0

    assert rehearse(importing("s3://b/spans"), {"reader": reads}).failed is None
    assert seen == [True]


@pytest.mark.parametrize("uri", ["", "http://x/y"])
def test_an_importer_with_no_place_that_kubeflow_knows_fails(uri: str, rehearse: Rehearsing) -> None:
    assert states(rehearse(importing(uri))) == {"source": "FAILED", "reader": "SKIPPED"}


def test_an_argument_that_linux_would_not_pass_on_fails_the_task(rehearse: Rehearsing) -> None:
    long = task("a", inputs={"parameters": {"p": {"componentInputParameter": "p"}}})
    given = {"inputDefinitions": {"parameters": {"p": {"parameterType": "STRING"}}}}
    done = rehearse(pipeline({"a": long}, {"a": given}), p="x" * LONGEST_ARGUMENT)
    assert done.failed is not None
    assert "more than Linux passes on" in done.failed.why


def test_kubeflows_own_values_are_filled_in(rehearse: Rehearsing) -> None:
    named = task(
        "a", inputs={"parameters": {"id": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}}}
    )
    given = {"inputDefinitions": {"parameters": {"id": {"parameterType": "STRING"}}}}
    rehearse(pipeline({"a": named}, {"a": given}))
    assert rehearse.runner.handed["a"]["inputs"]["parameterValues"] == {"id": "run-1"}


@pytest.mark.parametrize(
    ("kind", "value", "handed"),
    [("NUMBER_DOUBLE", 1.0, 1), ("STRING", 3, "3"), ("STRING", True, "true"), ("BOOLEAN", False, False)],
)
def test_a_value_is_of_the_declared_kind(kind: str, value: Any, handed: Any, rehearse: Rehearsing) -> None:
    asks = task("a", inputs={"parameters": {"p": {"componentInputParameter": "p"}}})
    rehearse(
        pipeline({"a": asks}, {"a": {"inputDefinitions": {"parameters": {"p": {"parameterType": kind}}}}}),
        p=value,
    )
    found = rehearse.runner.handed["a"]["inputs"]["parameterValues"]["p"]
    assert (found, type(found)) == (handed, type(handed))


@pytest.mark.parametrize(
    ("kind", "value"), [("NUMBER_INTEGER", "3"), ("BOOLEAN", 1), ("STRUCT", "{}"), ("NUMBER_DOUBLE", True)]
)
def test_a_value_of_another_kind_fails_the_task(kind: str, value: Any, rehearse: Rehearsing) -> None:
    asks = task("a", inputs={"parameters": {"p": {"componentInputParameter": "p"}}})
    small = pipeline({"a": asks}, {"a": {"inputDefinitions": {"parameters": {"p": {"parameterType": kind}}}}})
    assert states(rehearse(small, p=value)) == {"a": "FAILED"}


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("inputs.parameter_values['a'] == 'x && y'", True),
        ("inputs.parameter_values['n'] > 2.0 && !(inputs.parameter_values['n'] == 4)", True),
        ("inputs.parameter_values['n'] < 2 || inputs.parameter_values['t'] == true", True),
        ("inputs.artifacts['m'].artifacts[0].metadata['blessed'] == 1.0", False),
    ],
)
def test_conditions_as_tfx_and_kubeflow_write_them(condition: str, truth: bool) -> None:
    given = {
        "parameterValues": {"a": "x && y", "n": 3, "t": True},
        "artifacts": {"m": {"artifacts": [{"metadata": {"blessed": 0}}]}},
    }
    assert holds(condition, {"inputs": given}) is truth


@pytest.mark.parametrize(
    "condition", ["inputs.parameter_values['b'] == 1", "size(inputs) > 1", "1 +", "__import__('os')"]
)
def test_a_condition_that_cannot_be_read_is_refused(condition: str) -> None:
    with pytest.raises(SettingsError, match="cannot be evaluated"):
        holds(condition, {"inputs": {}})


def test_a_compiled_file_is_read_and_its_parameters_completed() -> None:
    golden = read_compiled(GOLDEN)
    typed = read_assignments(
        golden, ["model_epochs=5", "spans=[]", "first_evaluation_day=2011-12-18", "reason=a = b"]
    )
    values = complete(golden, typed)
    assert (values["model_epochs"], values["reason"], values["champion"]) == (5, "a = b", "")
    assert golden.secret_variables == ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    assert golden.variables["PYTHONHASHSEED"] == "0"


@pytest.mark.parametrize("wrong", ["model_epochs", "epochs=5", "model_epochs=many", "=3"])
def test_a_parameter_that_the_pipeline_does_not_have_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError):
        read_assignments(read_compiled(GOLDEN), [wrong])


def test_parameters_without_a_default_are_asked_for() -> None:
    with pytest.raises(SettingsError, match="needs the parameters first_evaluation_day, spans"):
        complete(read_compiled(GOLDEN), {})


@pytest.mark.parametrize("text", ["", "just text", "a: [1", "schemaVersion: 2.1.0"])
def test_what_is_no_compiled_pipeline_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="no compiled pipeline"):
        read_compiled(tmp_path / "x.yaml")


def test_a_rehearsal_tells_nobody_that_it_is_over_unless_it_is_asked_to(tmp_path: Path) -> None:
    pipeline = read_compiled(GOLDEN)
    pipeline.parameters["events_url"]["defaultValue"] = "http://triggers.example.org/events/cloudevents"
    data = ("--param", "spans=[]", "--param", "first_evaluation_day=2011-12-18")
    place = (Workspace(tmp_path), ObjectStore(tmp_path / "store"), tmp_path)

    def events_url(*more: str) -> Any:
        asked = options.parse("rehearse", ["pedalflow.yaml", *data, *more])
        return rehearse_command._values(pipeline, asked, *place)["events_url"]

    assert events_url() == ""
    assert events_url("--param", "events_url=http://127.0.0.1:9") == "http://127.0.0.1:9"


def test_a_compiled_file_with_what_does_not_run_is_refused(tmp_path: Path) -> None:
    text = GOLDEN.read_text(encoding="utf-8").replace("schemaVersion: 2.1.0", "schemaVersion: 2.0.0")
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="would not run on Kubeflow: schema version"):
        read_compiled(tmp_path / "x.yaml")


@pytest.mark.parametrize(("word", "code"), [("import sys; sys.exit(4)", 4), ("print('said')", 0)])
def test_a_cold_container_is_a_process_with_its_own_environment(word: str, code: int, tmp_path: Path) -> None:
    runner = Cold({"PATH": "/usr/bin"})
    assert runner.run(["python", "-c", word], {"ONLY": "this"}, tmp_path / "log") == code
    runner.run(["python", "-c", "import os; print(sorted(os.environ))"], {"ONLY": "this"}, tmp_path / "log")
    assert "'ONLY', 'PATH'" in (tmp_path / "log").read_text(encoding="utf-8")
