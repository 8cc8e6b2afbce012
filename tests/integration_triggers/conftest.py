"""What the tests of the whole service share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.unit.triggers.test_engine", "tests.unit.triggers.test_situation")
pytest.register_assert_rewrite("tests.unit.triggers.test_store", "tests.unit.triggers.test_pause")
pytest.register_assert_rewrite("tests.samples.postgresql")

from tests.samples.postgresql import PostgreSQL, running_postgresql  # noqa: E402


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server for the whole session; its folder has a short name, because that of a socket may be 107 characters long."""
    with (
        tempfile.TemporaryDirectory(prefix="pg-") as folder,
        running_postgresql(Path(folder) / "data") as server,
    ):
        yield server
