"""TFX's Pusher, with an executor that pushes a whole release and names the folder after it, not after the time of day."""

from pathlib import Path
from typing import Any

from tfx.components.pusher.component import Pusher
from tfx.components.pusher.executor import Executor
from tfx.dsl.components.base import executor_spec
from tfx.types import Artifact, artifact_utils
from tfx.utils import json_utils

from components.release_store import push_release
from pedalflow.release import open_release


class ReleasePusherExecutor(Executor):
    """Pushes to `custom_config["releases"]`, where the blessing allows it."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copy the release unless it is there already; a release is seen under its name only when it is whole."""
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        release = open_release(Path(artifact_utils.get_single_uri(input_dict["model"])))
        releases = Path(json_utils.loads(exec_properties["custom_config"])["releases"])
        target = push_release(release, releases)
        self._MarkPushed(pushed, pushed_destination=str(target), pushed_version=release.name)


class ReleasePusher(Pusher):
    """Pusher for releases."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(ReleasePusherExecutor)
