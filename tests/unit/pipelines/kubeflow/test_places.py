"""URIs of object stores and the folders in which Kubeflow's launcher puts what lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.errors import SettingsError
from pipelines.kubeflow.places import LauncherFolders, check_pipeline_root

CONTAINER = LauncherFolders(Path("/"))


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("minio://mlpipeline/v2/artifacts/x", "/minio/mlpipeline/v2/artifacts/x"),
        ("s3://bucket/a b/ü", "/s3/bucket/a b/ü"),
        ("gs://bucket/x.csv", "/gcs/bucket/x.csv"),
    ],
)
def test_a_uri_is_the_launchers_folder_and_back(uri: str, folder: str) -> None:
    assert CONTAINER.local(uri) == folder
    assert CONTAINER.uri(folder) == uri


def test_folders_lie_below_the_root_of_a_rehearsal(tmp_path: Path) -> None:
    folders = LauncherFolders(tmp_path)
    assert folders.local("minio://b/k") == str(tmp_path / "minio" / "b" / "k")
    assert folders.uri(str(tmp_path / "minio" / "b" / "k")) == "minio://b/k"


@pytest.mark.parametrize("path", ["/mnt/pedalflow/releases/r-1", "/minio", "/miniox/b"])
def test_a_path_on_a_mounted_volume_stays_what_it_is(path: str) -> None:
    assert CONTAINER.local(path) == path
    assert CONTAINER.uri(path) == path


@pytest.mark.parametrize("uri", ["http://x/y", "oci://image", "relative/path", "", "minio://b/../../etc"])
def test_a_place_that_the_launcher_does_not_bring_is_refused_by_name(uri: str) -> None:
    with pytest.raises(SettingsError, match="no place that Kubeflow brings"):
        CONTAINER.local(uri)


@pytest.mark.parametrize("uri", ["/mnt/runs", "http://x/y", "runs", "", "s3://b/../c"])
def test_a_pipeline_root_that_no_task_would_find_again_is_refused(uri: str) -> None:
    check_pipeline_root("s3://b/runs")
    with pytest.raises(
        SettingsError, match=r"is in no object store; it must begin with minio://, s3://, gs://"
    ):
        check_pipeline_root(uri)
