"""Releases that the tests of real servers share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.release import Release
from tests.integration_serving.servers import point_to
from tests.samples.small_release import small_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """A release that serves."""
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Another release, which predicts twice as much."""
    return small_release(tmp_path_factory.mktemp("doubled"), scale=2.0)


@pytest.fixture
def champion(tmp_path: Path, release: Release) -> Path:
    """A pointer to `release`, which a test may move."""
    path = tmp_path / "champion.json"
    point_to(path, release)
    return path
