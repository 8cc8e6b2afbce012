"""Makes the launchers that the settings name: one for each action, and one instance for each name."""

from __future__ import annotations

from collections.abc import Mapping

from pedalflow.workspace import Workspace
from triggers.errors import LaunchStopped
from triggers.launchers.cloud_build import CloudBuildLauncher
from triggers.launchers.github_dispatch import GithubLauncher
from triggers.launchers.launcher import Launcher
from triggers.launchers.launcher_settings import LaunchersSettings, Name
from triggers.launchers.local import LocalLauncher
from triggers.policy import Action


def make_launchers(settings: LaunchersSettings, workspace: Workspace) -> Mapping[Action, Launcher]:
    """The launcher of every action that starts something. Close each of `set(launchers.values())` once.

    Raises LaunchStopped where a launcher's files, such as its certificates, cannot be used.
    """
    made = {name: _make(name, settings, workspace) for name in set(settings.by_action.values())}
    return {action: made[name] for action, name in settings.by_action.items()}


def _make(name: Name, settings: LaunchersSettings, workspace: Workspace) -> Launcher:
    if name is Name.LOCAL:
        return LocalLauncher(workspace, settings.local)
    if name is Name.KUBEFLOW and settings.kubeflow:
        from triggers.launchers.kubeflow import KubeflowLauncher  # imports kfp, which takes a second

        return KubeflowLauncher(settings.kubeflow)
    if name is Name.GITHUB and settings.github:
        return GithubLauncher(settings.github)
    if name is Name.CLOUD_BUILD and settings.cloud_build:
        return CloudBuildLauncher(settings.cloud_build)
    raise LaunchStopped(f"the launcher {name.value} has no settings; give it some, or choose another")
