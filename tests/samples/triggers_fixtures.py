"""What tests of store and engine begin with: an empty database, a clock that stands still, and a launcher of files.

A test that wants another database gives another `url`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.triggers_engine import FileLauncher, Wall
from triggers.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'triggers.sqlite'}"


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def store(url: str, wall: Wall) -> Iterator[Store]:
    made = Store(url, wall=wall)
    yield made
    made.close()


@pytest.fixture
def launcher(tmp_path: Path) -> FileLauncher:
    return FileLauncher(tmp_path)
