"""Object storage as a task sees it: Kubeflow's launcher has filled local folders, and will collect them. URI ↔ folder, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pedalflow.errors import SettingsError

# LocalPathForURI in the launcher (backend/src/v2/component) has the same table.
FOLDERS: Mapping[str, str] = {"minio": "minio", "s3": "s3", "gs": "gcs"}
_KNOWN = ", ".join(f"{scheme}://" for scheme in FOLDERS)


def check_pipeline_root(uri: str) -> None:
    """Raise SettingsError where a run cannot keep its artifacts at `uri`, since its tasks would be brought nothing from there."""
    if not _in_a_store(uri):
        raise SettingsError(f"the pipeline root {uri!r} is in no object store; it must begin with {_KNOWN}")


def _in_a_store(uri: str) -> bool:
    scheme, separator, key = uri.partition("://")
    return bool(separator) and scheme in FOLDERS and ".." not in PurePosixPath(key).parts


@dataclass(frozen=True)
class LauncherFolders:
    """The launcher's folders. `root` is / in a container; the rehearsal has a root of its own for each task."""

    root: Path

    def local(self, uri: str) -> str:
        """Where a task finds what lies at `uri`. A path, such as one on a mounted volume, is where it is.

        Raises:
            SettingsError: the launcher brings nothing from such a place.
        """
        if uri.startswith("/"):
            return uri
        if not _in_a_store(uri):
            raise SettingsError(
                f"{uri!r} is no place that Kubeflow brings to a task; it must begin with {_KNOWN} or /"
            )
        scheme, _, key = uri.partition("://")
        return str(self.root / FOLDERS[scheme] / key)

    def uri(self, path: str) -> str:
        """The inverse of `local`; a path outside the launcher's folders stays what it is."""
        for scheme, folder in FOLDERS.items():
            base = self.root / folder
            if Path(path).is_relative_to(base) and path != str(base):
                return f"{scheme}://{Path(path).relative_to(base)}"
        return path
