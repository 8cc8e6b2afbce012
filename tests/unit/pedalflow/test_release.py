"""A release: sealed once, and opened only while it holds exactly what its manifest says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pedalflow.errors import ReleaseBroken
from pedalflow.release import MANIFEST, open_release, seal

FACTS = {"commit": "abc", "metrics": {"rmse": 1.5}}


def filled(folder: Path) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights").write_bytes(b"\x00\x01")
    (folder / "model.onnx").write_bytes(b"graph")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = filled(tmp_path / "release")
    seal(made, FACTS)
    return made


def test_sealed_release_opens_with_its_facts_and_a_name_from_its_checksum(folder: Path) -> None:
    release = open_release(folder)
    assert release.facts == FACTS
    assert release.name == f"r-{release.checksum[:12]}"
    assert release.folder == folder


def test_same_files_and_facts_give_the_same_checksum_anywhere(folder: Path, tmp_path: Path) -> None:
    other = seal(filled(tmp_path / "elsewhere"), dict(reversed(FACTS.items())))
    assert other.checksum == open_release(folder).checksum


def test_other_facts_give_another_checksum(folder: Path, tmp_path: Path) -> None:
    other = seal(filled(tmp_path / "elsewhere"), {**FACTS, "commit": "def"})
    assert other.checksum != open_release(folder).checksum


def test_manifest_lists_every_file_but_itself(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert sorted(manifest["files"]) == ["model.onnx", "model/weights"]


def _change(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"other")


def _remove(folder: Path) -> None:
    (folder / "model" / "weights").unlink()


def _add(folder: Path) -> None:
    (folder / "model" / "extra").write_bytes(b"")


def _remove_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _truncate_manifest(folder: Path) -> None:
    text = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(text[: len(text) // 2])


def _other_format(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 2}), encoding="utf-8")


def _no_files(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"format": 1, "facts": {}}', encoding="utf-8")


def _a_list(folder: Path) -> None:
    (folder / MANIFEST).write_text("[]", encoding="utf-8")


def _files_as_list(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"format": 1, "facts": {}, "files": []}', encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_change, "model.onnx changed"),
        (_remove, "model/weights missing"),
        (_add, "model/extra not in the manifest"),
        (_remove_manifest, "missing or no manifest"),
        (_truncate_manifest, "missing or no manifest"),
        (_no_files, "missing or no manifest"),
        (_a_list, "missing or no manifest"),
        (_files_as_list, "not in the manifest"),
        (_other_format, "has format 2"),
    ],
)
def test_damaged_release_is_refused_by_name(folder: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(folder)
    with pytest.raises(ReleaseBroken, match=said):
        open_release(folder)


def test_folder_that_does_not_exist_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(ReleaseBroken, match="missing or no manifest"):
        open_release(tmp_path / "nowhere")


def test_whole_release_under_the_name_of_another_is_refused(folder: Path) -> None:
    assert open_release(folder, open_release(folder).name).facts == FACTS
    with pytest.raises(ReleaseBroken, match="should be release r-000000000000 but is r-"):
        open_release(folder, "r-000000000000")
