"""Which launcher carries out which action, and settings that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pedalflow.workspace import Workspace
from triggers.launchers.choice import make_launchers
from triggers.launchers.launcher_settings import (
    CloudBuildSettings,
    GithubSettings,
    KubeflowSettings,
    LaunchersSettings,
    LocalSettings,
    Name,
)
from triggers.policy import Action

REMOTE: dict[str, Any] = {
    "kubeflow": {"host": "http://127.0.0.1:1", "pipeline": "pedalflow"},
    "github": {"repository": "owner/name", "token_file": "token"},
    "cloud_build": {"project": "p", "trigger": "t", "token_file": "token"},
}


def test_everything_runs_here_by_default_and_by_one_launcher(tmp_path: Path) -> None:
    made = make_launchers(LaunchersSettings(), Workspace(tmp_path))
    assert set(made) == {Action.RETRAIN, Action.TAKE_IN, Action.REBUILD}
    assert {launcher.name for launcher in made.values()} == {"local"}
    assert len({id(launcher) for launcher in made.values()}) == 1


@pytest.mark.parametrize("rebuild", ["github", "cloud-build", "kubeflow", "local"])
def test_each_action_gets_the_launcher_that_it_names(tmp_path: Path, rebuild: str) -> None:
    settings = LaunchersSettings(retrain=Name.KUBEFLOW, rebuild=Name(rebuild), **REMOTE)
    made = make_launchers(settings, Workspace(tmp_path))
    names = {action: launcher.name for action, launcher in made.items()}
    assert names == {Action.RETRAIN: "kubeflow", Action.TAKE_IN: "local", Action.REBUILD: rebuild}
    for launcher in set(made.values()):
        launcher.close()


@pytest.mark.parametrize("name", ["kubeflow", "github", "cloud-build"])
def test_a_launcher_without_settings_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is to retrain .*has no settings"):
        LaunchersSettings(retrain=Name(name))


@pytest.mark.parametrize(
    "wrong",
    [
        {"local": {"timeout": 5}},
        {"local": {"timeout_s": 0}},
        {"local": {"buckets": {"bike-hours": "relative/folder"}}},
        {"local": {"buckets": {"a/b": "/folder"}}},
        {"kubeflow": {"host": "kubeflow.example", "pipeline": "p"}},
        {"kubeflow": {"host": "http://k", "pipeline": ""}},
        {"kubeflow": {"host": "http://k", "pipeline": "p", "order_parameters": {"colour": "c"}}},
        {"github": {"repository": "no-owner", "token_file": "token"}},
        {"github": {"repository": "owner/name"}},
        {"cloud_build": {"project": "p/../q", "trigger": "t", "token_file": "token"}},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LaunchersSettings(**wrong)


@pytest.mark.parametrize(
    "model", [LaunchersSettings, LocalSettings, KubeflowSettings, GithubSettings, CloudBuildSettings]
)
def test_every_setting_is_described(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []
