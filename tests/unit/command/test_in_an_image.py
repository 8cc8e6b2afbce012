"""`pedalflow` in a container image, which holds one runtime and no .venv/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import pytest

from pedalflow.command import doctor, main, runtimes
from pedalflow.errors import EnvironmentMissing, SettingsError


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Dockerfile of the serving image sets it."""
    monkeypatch.setenv(runtimes.IMAGE_VARIABLE, "serving")


def test_the_interpreter_of_the_images_runtime_is_the_one_that_runs(image: None, tmp_path: Path) -> None:
    assert runtimes.python_of("serving", root=tmp_path) == Path(sys.executable)


def test_another_runtime_is_said_to_be_in_another_image(image: None) -> None:
    with pytest.raises(EnvironmentMissing, match=r"'serving' alone.*needs 'pipelines'.*pedalflow-pipelines"):
        runtimes.python_of("pipelines")


def test_outside_an_image_the_environments_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(runtimes.IMAGE_VARIABLE, raising=False)
    with pytest.raises(EnvironmentMissing, match="make -C"):
        runtimes.python_of("serving", root=tmp_path)


def test_the_doctor_looks_for_neither_git_nor_environments(image: None, tmp_path: Path) -> None:
    found = doctor.examine(tmp_path, root=tmp_path)
    assert [finding.what for finding in found] == ["interpreter", "environment serving", "disk", "workspace"]
    assert found[1].right and sys.prefix in found[1].said


def test_an_empty_volume_is_a_workspace(image: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Started(Exception):
        """The runtime would begin now."""

    def start(runtime: str, module: str, arguments: list[str], verbose: bool) -> NoReturn:
        raise Started(runtime, module, *arguments)

    monkeypatch.setattr(runtimes, "start", start)
    monkeypatch.setenv(main.WORKSPACE_VARIABLE, str(tmp_path))
    with pytest.raises(Started, match=r"serving\.serve_command"):
        main.run(["serve"])
    monkeypatch.delenv(runtimes.IMAGE_VARIABLE)
    with pytest.raises(SettingsError, match="not a workspace"):
        main.run(["serve"])
