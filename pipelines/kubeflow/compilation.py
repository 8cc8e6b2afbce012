"""What a compiled pipeline is made from: all of it is known before, so the same makings give the same file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pedalflow.errors import SettingsError

UNPUBLISHED = f"pedalflow-pipelines@sha256:{'0' * 64}"  # stands for an image that was not built yet
EVENTS_SECRET = "/var/run/secrets/pedalflow"  # where the secret with the token for events is mounted
_PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Compilation:
    """The makings of one compiled file.

    `image` is pinned by digest, because Kubeflow's cache key holds the image's name and not what is in it. `parameters` are the
    sections model, tuner, gates and detectors of `params.yaml`, complete. `storage` is the folder of the object store that holds
    spans and releases, `pipeline_root` where artifacts go, `claim` the volume claim that releases are pushed to. `events_url` is where
    a run's completion is posted, empty for nowhere, and `events_token_file` holds the token for it in the container.

    Raises:
        SettingsError: the image is not pinned by its digest.
    """

    use_case: str
    image: str
    commit: str
    dirty: bool
    code: str
    parameters: Mapping[str, Mapping[str, Any]]
    registry_uri: str
    registry_name: str
    storage: str = "minio://mlpipeline/pedalflow"
    pipeline_root: str = "minio://mlpipeline/v2/artifacts"
    claim: str = "pedalflow-releases"
    events_url: str = ""
    events_token_file: str = f"{EVENTS_SECRET}/cloudevents_token"

    def __post_init__(self) -> None:
        if not _PINNED.fullmatch(self.image):
            raise SettingsError(
                f"the image {self.image!r} is not pinned; name it by its digest, as in registry/pedalflow-pipelines@sha256:<64 hex digits>"
            )

    @property
    def image_digest(self) -> str:
        """The digest of the tasks' image."""
        return digest_of(self.image)


def digest_of(image: str) -> str:
    """What pins an image, as in `sha256:<64 hex digits>`; empty where nothing does."""
    return image.partition("@")[2]
