"""An object store as a folder: buckets below their scheme. As in a real one there are no empty folders."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.kubeflow.places import LauncherFolders


@dataclass(frozen=True)
class ObjectStore:
    """The objects of all buckets below one root."""

    root: Path

    def path(self, uri: str) -> Path:
        """Where the object or the prefix `uri` lies. Raises SettingsError for a place that no launcher knows."""
        return Path(LauncherFolders(self.root).local(uri))

    def download(self, uri: str, target: Path) -> None:
        """Copy all below `uri`; where nothing is, nothing comes, and that is no error (DownloadBlob in Kubeflow's objectstore)."""
        _copy(self.path(uri), target)

    def upload(self, source: Path, uri: str) -> None:
        """Copy a file, or all files of a folder. What was not written is not there (uploadOutputArtifacts in Kubeflow's launcher)."""
        _copy(source, self.path(uri))


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
