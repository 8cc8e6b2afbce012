"""What Kubeflow hands a task: types restored, places mapped, parameters of every kind, and inputs that are not whole refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.stand_in import NO_CHAMPION
from pedalflow.errors import DataMissing, RunFailed
from pipelines.kubeflow import contents
from pipelines.kubeflow.handed import check_inputs, localized, properties, without_stand_ins
from pipelines.kubeflow.places import LauncherFolders

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
SPEC = {"artifacts": {"model": {"artifactType": MODEL}, "baseline_model": {"artifactType": MODEL}}}


def artifact(uri: str, **more: Any) -> dict[str, Any]:
    return {"artifacts": [{"uri": uri, "type": {"instanceSchema": ""}, **more}]}


def handed(**inputs: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": {"artifacts": inputs}}


@pytest.fixture
def folders(tmp_path: Path) -> LauncherFolders:
    return LauncherFolders(tmp_path)


def brought(folders: LauncherFolders, uri: str, **files: str) -> Path:
    folder = Path(folders.local(uri))
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_an_input_without_a_type_gets_the_one_that_is_declared(folders: LauncherFolders) -> None:
    given = handed(model=artifact("minio://b/m"))
    (model,) = localized(given, SPEC, folders)["inputs"]["artifacts"]["model"]["artifacts"]
    assert model == {"uri": folders.local("minio://b/m"), "type": MODEL}
    assert given["inputs"]["artifacts"]["model"]["artifacts"][0]["uri"] == "minio://b/m"


def test_an_output_keeps_its_type_and_gets_its_folder(folders: LauncherFolders) -> None:
    given = {"outputs": {"artifacts": {"model": {"artifacts": [{"uri": "s3://b/m", "type": MODEL}]}}}}
    (model,) = localized(given, {}, folders)["outputs"]["artifacts"]["model"]["artifacts"]
    assert model == {"uri": folders.local("s3://b/m"), "type": MODEL}


@pytest.mark.parametrize(
    "given",
    [handed(other=artifact("minio://b/m")), {"outputs": {"artifacts": {"model": artifact("minio://b/m")}}}],
)
def test_what_has_no_type_anywhere_is_refused(given: dict[str, Any], folders: LauncherFolders) -> None:
    with pytest.raises(RunFailed, match="compile the pipeline again"):
        localized(given, SPEC, folders)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("STRING", "text", "text"),
        ("STRING", "", ""),
        ("STRING", "x" * 100_000, "x" * 100_000),
        ("NUMBER_INTEGER", 3.0, 3),
        ("NUMBER_INTEGER", 20110101, 20110101),
        ("NUMBER_DOUBLE", 1, 1.0),
        ("NUMBER_DOUBLE", 0.006, 0.006),
        ("BOOLEAN", True, True),
        ("LIST", [1, "a"], '[1, "a"]'),
        ("STRUCT", {"b": 1, "a": None}, '{"a": null, "b": 1}'),
        ("TASK_FINAL_STATUS", {"state": "FAILED"}, '{"state": "FAILED"}'),
    ],
)
def test_a_parameter_of_every_kind_arrives_as_what_it_is(kind: str, value: Any, expected: Any) -> None:
    spec = {"parameters": {"p": {"parameterType": kind}}}
    (found,) = properties({"inputs": {"parameterValues": {"p": value}}}, spec).values()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("STRING", 1),
        ("NUMBER_INTEGER", 1.5),
        ("NUMBER_DOUBLE", "1"),
        ("BOOLEAN", 1),
        ("LIST", "[]"),
        ("NUMBER_INTEGER", True),
    ],
)
def test_a_parameter_of_another_kind_is_refused_by_name(kind: str, value: Any) -> None:
    spec = {"parameters": {"p": {"parameterType": kind}}}
    with pytest.raises(RunFailed, match=f"parameter p is .* no {kind}"):
        properties({"inputs": {"parameterValues": {"p": value}}}, spec)


def test_a_parameter_that_was_not_handed_over_is_named() -> None:
    with pytest.raises(RunFailed, match="p, q were not"):
        properties(
            {"inputs": {}},
            {"parameters": {"q": {"parameterType": "STRING"}, "p": {"parameterType": "STRING"}}},
        )


def test_an_input_that_is_not_there_is_named_with_its_place(folders: LauncherFolders) -> None:
    with pytest.raises(DataMissing, match="model is missing: nothing was brought from minio://b/m"):
        check_inputs(handed(model=artifact("minio://b/m")), folders)


def test_an_input_that_is_as_its_producer_left_it_passes(folders: LauncherFolders) -> None:
    folder = brought(folders, "minio://b/m", a="1", b="22")
    (folder / "empty").mkdir()
    check_inputs(
        handed(model=artifact("minio://b/m", metadata={contents.KEY: contents.describe(folder)})), folders
    )


@pytest.mark.parametrize("damage", ["shorter", "missing", "more"])
def test_an_input_that_is_not_whole_is_refused(damage: str, folders: LauncherFolders) -> None:
    folder = brought(folders, "minio://b/m", a="1", b="22")
    written = contents.describe(folder)
    changes = {
        "shorter": lambda: (folder / "b").write_text("2"),
        "missing": (folder / "a").unlink,
        "more": (folder / "c").touch,
    }
    changes[damage]()
    with pytest.raises(DataMissing, match="model is not whole"):
        check_inputs(handed(model=artifact("minio://b/m", metadata={contents.KEY: written})), folders)


def test_an_imported_input_has_no_producer_and_needs_only_be_there(folders: LauncherFolders) -> None:
    brought(folders, "minio://b/m", a="1")
    check_inputs(handed(model=artifact("minio://b/m")), folders)


def test_what_stands_for_no_champion_need_not_be_there(folders: LauncherFolders) -> None:
    check_inputs(handed(model=artifact("minio://b/no-champion")), folders)


def test_an_optional_input_that_only_stands_in_is_not_given_to_the_executor(folders: LauncherFolders) -> None:
    folder = brought(folders, "minio://b/m", **{NO_CHAMPION: ""})
    both = handed(model=artifact(str(folder)), baseline_model=artifact(str(folder)))
    assert list(without_stand_ins(both)["inputs"]["artifacts"]) == ["model"]


def test_an_optional_input_that_is_there_is_given(folders: LauncherFolders) -> None:
    folder = brought(folders, "minio://b/m", model="x")
    assert list(without_stand_ins(handed(baseline_model=artifact(str(folder))))["inputs"]["artifacts"]) == [
        "baseline_model"
    ]
