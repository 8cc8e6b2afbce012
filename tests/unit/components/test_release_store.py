"""Pushing a release: all or nothing, once, and verified on arrival."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.release_store import push_release
from pedalflow.errors import ReleaseBroken
from pedalflow.release import Release, seal


@pytest.fixture
def release(tmp_path: Path) -> Release:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    return seal(folder, {"commit": "abc"})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_release_arrives_whole_under_its_name(release: Release, tmp_path: Path) -> None:
    target = push_release(release, tmp_path / "releases")
    assert target == tmp_path / "releases" / release.name
    assert names(tmp_path / "releases") == [release.name]
    assert names(target) == ["manifest.json", "model.onnx"]


def test_pushing_again_leaves_the_first_copy_alone(release: Release, tmp_path: Path) -> None:
    target = push_release(release, tmp_path / "releases")
    before = (target / "model.onnx").stat().st_mtime_ns
    assert push_release(release, tmp_path / "releases") == target
    assert (target / "model.onnx").stat().st_mtime_ns == before


def test_copy_that_was_damaged_is_told_and_not_served(release: Release, tmp_path: Path) -> None:
    target = push_release(release, tmp_path / "releases")
    (target / "model.onnx").write_bytes(b"other")
    with pytest.raises(ReleaseBroken, match=r"model\.onnx changed"):
        push_release(release, tmp_path / "releases")


def test_of_two_that_push_the_same_release_at_once_both_find_it_there(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, releases = shutil.copytree, tmp_path / "releases"

    def slowly(source: Path, target: Path) -> None:
        whole(source, target)
        monkeypatch.undo()
        push_release(release, releases)  # somebody else, meanwhile

    monkeypatch.setattr(shutil, "copytree", slowly)
    assert push_release(release, releases) == releases / release.name
    assert names(releases) == [release.name]


def test_push_that_dies_half_way_leaves_nothing_under_the_name(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.copytree

    def half(source: Path, target: Path) -> None:
        whole(source, target)
        (target / "model.onnx").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copytree", half)
    with pytest.raises(KeyboardInterrupt):
        push_release(release, tmp_path / "releases")
    assert names(tmp_path / "releases") == []
    monkeypatch.undo()
    push_release(release, tmp_path / "releases")
    assert names(tmp_path / "releases") == [release.name]


def test_release_that_was_changed_after_it_was_opened_is_not_pushed(release: Release, tmp_path: Path) -> None:
    (release.folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(ReleaseBroken):
        push_release(release, tmp_path / "releases")
    assert not (tmp_path / "releases" / release.name).exists()
