"""What the registry knows of releases: which one serves, how one is fetched, how another becomes champion.

Nothing but MLflow's client is needed for it, so a process that only promotes starts without TensorFlow.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from components.release_store import push_release
from pedalflow.errors import ReleaseBroken
from pedalflow.release import open_release

CHAMPION, CHALLENGER = "champion", "challenger"
RELEASE_TAG = "pedalflow.release"
CHECKSUM_TAG = "pedalflow.checksum"
URI_TAG = "pedalflow.uri"  # the folder of an object store that holds the release, where somebody has put it into one
MODEL_FOLDER, RELEASE_FOLDER = "model", "release"


@dataclass(frozen=True)
class Registry:
    """Where to register: MLflow's tracking URI, the name of model and experiment, and where artifacts go if MLflow lets us choose."""

    tracking_uri: str
    name: str
    artifacts: str


@dataclass(frozen=True)
class Champion:
    """The release that serves, as the registry knows it. `uri` is where an object store holds it, empty where nobody said."""

    release: str
    checksum: str
    uri: str = ""


@dataclass(frozen=True)
class Registered:
    """What became of a release. `version` is None where the gates refused it."""

    mlflow_run: str
    version: str | None


def find_version(client: MlflowClient, registry: Registry, release: str) -> Registered | None:
    """The version that holds the release of this name, if there is one."""
    for candidate in client.search_model_versions(f"name = '{registry.name}'"):
        if candidate.tags.get(RELEASE_TAG) == release:
            return Registered(candidate.run_id or "", str(candidate.version))
    return None


def champion(registry: Registry) -> Champion | None:
    """The release that serves, or None before the first promotion.

    Raises:
        ReleaseBroken: the alias points to a version that is no release of Pedalflow's, so there is nothing to compare with.
    """
    client = MlflowClient(registry.tracking_uri)
    try:
        number = client.get_registered_model(registry.name).aliases.get(CHAMPION)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if number is None:
        return None
    tags = client.get_model_version(registry.name, number).tags
    if RELEASE_TAG not in tags or CHECKSUM_TAG not in tags:
        raise ReleaseBroken(
            f"version {number} of {registry.name!r} has the alias {CHAMPION!r} but is no release of Pedalflow's; "
            "move the alias to a version that has the tag pedalflow.release, or delete it to start anew"
        )
    return Champion(tags[RELEASE_TAG], tags[CHECKSUM_TAG], tags.get(URI_TAG, ""))


def fetch_release(registry: Registry, name: str, releases: Path) -> Path:
    """Bring a registered release into the folder `releases`, whole and verified.

    Raises:
        ReleaseBroken: no version holds it, or its artifacts are not what its manifest says.
    """
    known = find_version(MlflowClient(registry.tracking_uri), registry, name)
    if known is None:
        raise ReleaseBroken(
            f"release {name} is in no version of {registry.name!r} at {registry.tracking_uri}; train again"
        )
    import mlflow.artifacts  # here, since asking for the champion must not pay for it

    with tempfile.TemporaryDirectory() as folder:
        artifact = f"runs:/{known.mlflow_run}/{MODEL_FOLDER}/{RELEASE_FOLDER}"
        fetched = mlflow.artifacts.download_artifacts(
            artifact, dst_path=folder, tracking_uri=registry.tracking_uri
        )
        return push_release(open_release(Path(fetched), name), releases)


def promote(registry: Registry, number: str, release: str) -> None:
    """Make the version that holds `release` the champion; it stops being the challenger.

    Raises:
        ReleaseBroken: the version holds another release.
    """
    client = MlflowClient(registry.tracking_uri)
    held = client.get_model_version(registry.name, number).tags.get(RELEASE_TAG)
    if held != release:
        raise ReleaseBroken(
            f"version {number} of {registry.name!r} holds {held}, not {release}; nothing was promoted"
        )
    client.set_registered_model_alias(registry.name, CHAMPION, number)
    if str(client.get_registered_model(registry.name).aliases.get(CHALLENGER)) == number:
        client.delete_registered_model_alias(registry.name, CHALLENGER)
