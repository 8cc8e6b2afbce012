"""What the tests of the whole service share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.unit.triggers.test_engine", "tests.unit.triggers.test_situation")
pytest.register_assert_rewrite("tests.unit.triggers.test_store", "tests.unit.triggers.test_pause")
pytest.register_assert_rewrite("tests.samples.postgresql")

from tests.integration_triggers.door import Door, make_workspace, serving  # noqa: E402
from tests.samples.postgresql import PostgreSQL, running_postgresql  # noqa: E402
from tests.samples.triggers_fixtures import launcher, store, url, wall  # noqa: E402

__all__ = ["launcher", "store", "url", "wall"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server for the whole session; its folder has a short name, because that of a socket may be 107 characters long."""
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,
        running_postgresql(Path(folder) / "data") as server,
    ):
        yield server


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def door(workspace: Path) -> Iterator[Door]:
    with serving(workspace) as opened:
        yield opened
