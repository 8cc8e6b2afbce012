"""The champion as a cluster brings it in: verified, in the Trainer's layout, or an explicit stand-in where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.champion_model import ChampionModel
from components.curated_schema import CuratedSchema
from components.span_examples import SpanFile, below
from components.stand_in import is_stand_in, names_stand_in, onnx_of
from pedalflow.errors import ReleaseBroken, SettingsError
from pedalflow.release import Release, seal


def call(component: Any, inputs: dict[str, Any], outputs: dict[str, Any], properties: dict[str, Any]) -> None:
    """Run a component's executor as a runner would."""
    executor = component.EXECUTOR_SPEC.executor_class()
    executor.Do({n: [a] for n, a in inputs.items()}, {n: [a] for n, a in outputs.items()}, properties)


def model(folder: Path) -> standard_artifacts.Model:
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    return artifact


@pytest.fixture
def release(tmp_path: Path) -> Release:
    folder = tmp_path / "release"
    (folder / "model" / "Format-Serving").mkdir(parents=True)
    (folder / "model" / "Format-Serving" / "saved_model.pb").write_text("graph", encoding="utf-8")
    (folder / "model.onnx").write_text("onnx", encoding="utf-8")
    return seal(folder, {})


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "champion"
    folder.mkdir()
    return folder


def champion(release: Path, target: Path, name: str) -> None:
    call(ChampionModel, {"release": model(release)}, {"model": model(target)}, {"champion": name})


def test_the_model_is_laid_out_as_the_trainer_leaves_one(release: Release, target: Path) -> None:
    champion(release.folder, target, release.name)
    assert (target / "Format-Serving" / "saved_model.pb").read_text(encoding="utf-8") == "graph"
    onnx = onnx_of(target)
    assert onnx is not None
    assert onnx.read_text(encoding="utf-8") == "onnx"
    assert not is_stand_in(target)


def test_without_a_champion_there_is_a_stand_in_that_says_so(tmp_path: Path, target: Path) -> None:
    champion(tmp_path / "no-champion", target, "")
    assert is_stand_in(target)
    assert onnx_of(target) is None


def test_a_release_that_did_not_arrive_whole_is_refused(release: Release, target: Path) -> None:
    (release.folder / "model.onnx").unlink()
    with pytest.raises(ReleaseBroken, match=r"model\.onnx missing"):
        champion(release.folder, target, release.name)
    assert list(target.iterdir()) == []


def test_another_release_than_the_one_that_is_named_is_refused(release: Release, target: Path) -> None:
    with pytest.raises(ReleaseBroken, match="should be release r-000000000000"):
        champion(release.folder, target, "r-000000000000")


def test_a_champion_without_a_name_or_a_name_without_a_champion_is_refused(
    release: Release, tmp_path: Path, target: Path
) -> None:
    for folder, name in ((release.folder, ""), (tmp_path / "no-champion", release.name)):
        with pytest.raises(SettingsError, match="give both, or neither"):
            champion(folder, target, name)


@pytest.mark.parametrize(
    ("uri", "stands_in"),
    [
        ("minio://b/no-champion", True),
        ("/x/no-champion/", True),
        ("minio://b/r-1", False),
        ("s3://no-champion/x", False),
    ],
)
def test_a_uri_says_whether_it_stands_for_no_champion(uri: str, stands_in: bool) -> None:
    assert names_stand_in(uri) is stands_in


def test_the_curated_schema_is_the_one_that_the_use_case_makes(target: Path) -> None:
    from google.protobuf import text_format

    from bikeshare.schema import schema

    artifact = standard_artifacts.Schema()
    artifact.uri = str(target)
    call(CuratedSchema, {}, {"schema": artifact}, {"use_case": "bikeshare", "code": ""})
    assert (target / "schema.pbtxt").read_text(encoding="utf-8") == text_format.MessageToString(schema())


def test_spans_are_taken_from_the_folder_that_was_brought(tmp_path: Path) -> None:
    (span,) = below(tmp_path, [SpanFile(1, "span-01.csv", "0")])
    assert span == SpanFile(1, str(tmp_path / "span-01.csv"), "0")
