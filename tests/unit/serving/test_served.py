"""A release is verified before it serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

from pedalflow.champion import Pointer, write_pointer
from pedalflow.errors import ReleaseBroken
from pedalflow.release import DETECTORS, MANIFEST, ONNX_MODEL, REQUEST_SCHEMA, Release, seal
from serving.served import load_served
from tests.samples.small_release import small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("served"))


@pytest.fixture
def copy(tmp_path: Path, release: Release) -> Path:
    return Path(shutil.copytree(release.folder, tmp_path / "copy"))


def test_a_folder_and_a_pointer_serve_the_same_release(tmp_path: Path, release: Release) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer(release.name, release.checksum, release.folder))

    for place in (pointer, release.folder):
        served = load_served(place)
        assert served.release.checksum == release.checksum
        assert set(served.model.inputs) == set(served.schema.names)
        assert served.detectors.layout.label == "count"


def test_the_same_arguments_make_the_same_sample_release(tmp_path: Path, release: Release) -> None:
    assert small_release(tmp_path).checksum == release.checksum


def test_a_pointer_to_another_release_than_the_folder_holds_is_refused(
    tmp_path: Path, release: Release
) -> None:
    pointer = tmp_path / "champion.json"
    write_pointer(pointer, Pointer("r-000000000000", "0" * 64, release.folder))

    with pytest.raises(ReleaseBroken, match="points to the release with checksum 0000"):
        load_served(pointer)


@pytest.mark.parametrize("name", [MANIFEST, ONNX_MODEL, REQUEST_SCHEMA])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-7])])
def test_a_file_that_is_missing_or_changed_is_named(
    copy: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(copy / name)

    with pytest.raises(ReleaseBroken, match=name):
        load_served(copy)


def _other_inputs(folder: Path) -> None:
    model = onnx.load(str(folder / ONNX_MODEL))
    model.graph.input.append(helper.make_tensor_value_info("extra", onnx.TensorProto.FLOAT, ["rows", 1]))
    onnx.save(model, str(folder / ONNX_MODEL))


def _no_model(folder: Path) -> None:
    (folder / ONNX_MODEL).write_bytes(b"no model")


def _no_schema(folder: Path) -> None:
    (folder / REQUEST_SCHEMA).write_text("[]", encoding="utf-8")


def _text_field(folder: Path) -> None:
    schema = json.loads((folder / REQUEST_SCHEMA).read_text())
    schema["properties"]["hr"]["type"] = "string"
    (folder / REQUEST_SCHEMA).write_text(json.dumps(schema), encoding="utf-8")


def _no_detectors(folder: Path) -> None:
    shutil.rmtree(folder / DETECTORS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_inputs, "the model takes .*extra.*, but requests have"),
        (_no_model, "cannot be loaded by ONNX Runtime"),
        (_no_schema, "does not describe requests that can be read"),
        (_text_field, "neither a date, an integer nor a number"),
        (_no_detectors, "detectors"),
    ],
)
def test_a_sealed_release_that_cannot_serve_is_refused(
    copy: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(copy)
    (copy / MANIFEST).unlink()
    seal(copy, {})

    with pytest.raises(ReleaseBroken, match=message):
        load_served(copy)


def test_a_model_that_predicts_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseBroken, match="cannot predict a row at the low end"):
        load_served(small_release(tmp_path, scale=1e40).folder)
