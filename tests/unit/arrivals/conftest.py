"""A workspace in which span 1 has arrived, and the files of the next spans as the archive gives them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import prepare


@pytest.fixture(scope="session")
def first_year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with span 1, to be copied and never changed."""
    root = tmp_path_factory.mktemp("first-year")
    (root / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    prepare(Workspace(root), 1)
    return root


@pytest.fixture
def workspace(first_year: Path, tmp_path: Path) -> Workspace:
    """A workspace of one's own with span 1."""
    return Workspace(Path(shutil.copytree(first_year, tmp_path / "workspace")))


@pytest.fixture(scope="session")
def january() -> list[str]:
    """The lines of span 2, header first, without line ends."""
    return cut_span(ARCHIVE, 2).decode("ascii").splitlines()
