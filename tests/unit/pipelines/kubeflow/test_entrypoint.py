"""The container's entry point: every kind of artifact and value, large inputs, and what happens when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.types import Artifact, standard_artifacts
from tfx.types.experimental import simple_artifacts
from tfx.types.value_artifact import ValueArtifact

from pipelines.kubeflow import contents, entrypoint
from pipelines.kubeflow.places import LauncherFolders
from tests.samples import entry_executors

ARTIFACTS = sorted(compiler_utils._SUPPORTED_STANDARD_ARTIFACT_TYPES, key=lambda kind: kind.__name__)
VALUES = {"String": "text", "Integer": 3, "Float": 0.5, "Boolean": True}
TELL = "tests.samples.entry_executors.Tell"
FAIL = "tests.samples.entry_executors.WriteThenFail"


def typed(kind: type[Artifact]) -> dict[str, str]:
    schema = compiler_utils.get_artifact_schema(kind)
    return {"instanceSchema": schema.decode() if isinstance(schema, bytes) else schema}


class Task:
    """One call of the entry point, with folders filled as the launcher fills them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = LauncherFolders(root)
        self.inputs: dict[str, Any] = {}
        self.spec: dict[str, Any] = {"artifacts": {}, "parameters": {}}
        self.values: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {
            "outputFile": str(root / "tmp" / "output.json"),
            "artifacts": {},
            "parameters": {},
        }
        self.returns("told", standard_artifacts.Model)

    def brings(self, name: str, kind: type[Artifact], uri: str, **metadata: Any) -> Path:
        item = {"name": "17", "uri": uri, "type": {"instanceSchema": ""}, "metadata": metadata}
        self.inputs[name] = {"artifacts": [item]}
        self.spec["artifacts"][name] = {"artifactType": typed(kind)}
        return Path(self.folders.local(uri))

    def passes(self, name: str, kind: str, value: Any) -> None:
        self.spec["parameters"][name] = {"parameterType": kind}
        self.values[name] = value

    def returns(self, name: str, kind: type[Artifact]) -> None:
        self.outputs["artifacts"][name] = {
            "artifacts": [{"uri": f"minio://b/run/{name}", "type": typed(kind), "metadata": {}}]
        }

    def run(self, executor: str = TELL) -> int:
        handed = {
            "inputs": {"artifacts": self.inputs, "parameterValues": self.values},
            "outputs": self.outputs,
        }
        words = ["--executor_class_path", executor, "--json_serialized_invocation_args", json.dumps(handed)]
        words += ["--json_serialized_inputs_spec_args", json.dumps(self.spec), "--runner=FnApiRunner"]
        return entrypoint.guarded(words, self.root)

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(
            (self.root / "minio/b/run/told" / entry_executors.WRITTEN).read_text(encoding="utf-8")
        )

    @property
    def output(self) -> dict[str, Any]:
        return json.loads(Path(self.outputs["outputFile"]).read_text(encoding="utf-8"))


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(entrypoint, "silence", lambda verbose: None)  # it would quieten the tests too
    return Task(tmp_path)


@pytest.mark.parametrize("kind", ARTIFACTS, ids=lambda kind: kind.__name__)
def test_an_input_of_every_kind_arrives_with_its_type(kind: type[Artifact], task: Task) -> None:
    place = task.brings("given", kind, "minio://b/up/given")
    if issubclass(kind, ValueArtifact):
        place.parent.mkdir(parents=True)
        place.write_text("3", encoding="utf-8")
    else:
        place.mkdir(parents=True)
        (place / "file").touch()
    assert task.run() == 0
    assert task.told["inputs"]["given"]["type"] == kind.__name__


@pytest.mark.parametrize("scheme", ["minio", "s3", "gs"])
def test_an_input_of_every_store_is_found_in_the_launchers_folder(scheme: str, task: Task) -> None:
    place = task.brings("given", standard_artifacts.Model, f"{scheme}://b/up")
    place.mkdir(parents=True)
    (place / "file").touch()
    assert task.run() == 0
    assert task.told["inputs"]["given"]["files"] == 1


def test_an_input_on_a_mounted_volume_is_found_where_it_is(task: Task, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "file").touch()
    task.brings("given", standard_artifacts.Model, str(tmp_path / "volume"))
    assert task.run() == 0
    assert task.told["inputs"]["given"]["files"] == 1


def test_properties_of_an_input_arrive(task: Task) -> None:
    place = task.brings(
        "given", standard_artifacts.Examples, "minio://b/up", split_names='["train"]', span=3.0
    )
    place.mkdir(parents=True)
    assert task.run() == 0
    assert task.told["inputs"]["given"]["split_names"] == '["train"]'


@pytest.mark.parametrize(("name", "value"), VALUES.items())
def test_a_value_is_returned_as_an_output_parameter(name: str, value: Any, task: Task) -> None:
    task.returns("made", getattr(standard_artifacts, name))
    task.outputs["parameters"]["made"] = {"outputFile": str(task.root / "tmp" / "made")}
    task.spec["parameters"]["value"] = {
        "parameterType": {"String": "STRING", "Boolean": "BOOLEAN"}.get(name, "NUMBER_DOUBLE")
    }
    if name == "Integer":
        task.spec["parameters"]["value"] = {"parameterType": "NUMBER_INTEGER"}
    task.values["value"] = value
    assert task.run() == 0
    assert task.output["parameterValues"]["made"] == value


def test_an_output_parameter_that_is_no_artifact_is_a_text(task: Task) -> None:
    file = task.root / "tmp" / "outputs" / "made"
    task.outputs["parameters"]["made"] = {"outputFile": str(file)}
    task.passes("value", "STRING", '{"ü": 1}')
    assert task.run() == 0
    assert task.output["parameterValues"] == {"made": '{"ü": 1}'}
    assert list(task.output["artifacts"]) == ["told"]
    assert file.read_text(encoding="utf-8") == '{"ü": 1}'


def test_parameters_arrive_as_execution_properties(task: Task) -> None:
    task.passes("text", "STRING", '{"a": 1}')
    task.passes("whole", "NUMBER_INTEGER", 3.0)
    task.passes("status", "TASK_FINAL_STATUS", {"state": "FAILED"})
    assert task.run() == 0
    assert task.told["properties"] == {"text": '{"a": 1}', "whole": 3, "status": '{"state": "FAILED"}'}


def test_outputs_go_back_with_the_uris_that_kubeflow_knows(task: Task) -> None:
    assert task.run() == 0
    (told,) = task.output["artifacts"]["told"]["artifacts"]
    assert told["uri"] == "minio://b/run/told"
    assert told["metadata"]["said"] == "yes"
    assert told["metadata"][contents.KEY] == contents.describe(task.root / "minio/b/run/told")


def test_large_inputs_arrive_whole(task: Task) -> None:
    place = task.brings("given", simple_artifacts.Dataset, "minio://b/up")
    for number in range(2_000):
        file = place / f"{number % 50}" / f"{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 1_000)
    task.inputs["given"]["artifacts"][0]["metadata"][contents.KEY] = contents.describe(place)
    task.passes("long", "STRING", "ü" * 60_000)
    assert task.run() == 0
    assert task.told["inputs"]["given"]["files"] == 2_000
    assert len(task.told["properties"]["long"]) == 60_000


def test_a_missing_input_ends_with_a_sentence_and_nothing_to_collect(
    task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    task.brings("given", standard_artifacts.Model, "minio://b/up")
    assert task.run() == 3
    assert (
        "pedalflow: the input given is missing: nothing was brought from minio://b/up"
        in capsys.readouterr().err
    )
    assert not (task.root / "minio/b/run").exists()
    assert not Path(task.outputs["outputFile"]).exists()


def test_a_partly_written_input_ends_with_a_sentence(task: Task, capsys: pytest.CaptureFixture[str]) -> None:
    place = task.brings("given", standard_artifacts.Model, "minio://b/up")
    place.mkdir(parents=True)
    (place / "model").write_text("whole", encoding="utf-8")
    task.inputs["given"]["artifacts"][0]["metadata"][contents.KEY] = contents.describe(place)
    (place / "model").write_text("wh", encoding="utf-8")
    assert task.run() == 3
    assert "given is not whole" in capsys.readouterr().err


def test_an_error_of_ours_has_its_own_exit_code_and_no_output_file(
    task: Task, capsys: pytest.CaptureFixture[str]
) -> None:
    task.passes("error", "STRING", "ours")
    assert task.run(FAIL) == 6
    assert capsys.readouterr().err == "pedalflow: the column temp is out of range\n"
    assert not Path(task.outputs["outputFile"]).exists()


def test_another_error_is_shown_with_its_traceback(task: Task, capsys: pytest.CaptureFixture[str]) -> None:
    task.passes("error", "STRING", "theirs")
    assert task.run(FAIL) == 1
    assert "ZeroDivisionError: of TFX's" in capsys.readouterr().err
    assert not Path(task.outputs["outputFile"]).exists()


def test_what_is_no_json_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--executor_class_path", TELL, "--json_serialized_invocation_args", "{"]
    assert entrypoint.guarded([*words, "--json_serialized_inputs_spec_args", "{}"], tmp_path) == 2
    assert "the invocation that Kubeflow hands over is no JSON" in capsys.readouterr().err
