"""The world in which all pages are executed, made once."""

from __future__ import annotations

import pytest

from tests.integration.docs.world import DocsWorld, make_docs_world
from tests.samples.outside_programs import KUBECTL
from tests.samples.workflow_files import ROOT


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> DocsWorld:
    needed = [ROOT / ".venv" / name / "bin" / "python" for name in ("serving", "triggers")]
    if not all(path.exists() for path in (*needed, KUBECTL)):
        pytest.skip("needs the environments serving, triggers and delivery: make setup")
    return make_docs_world(tmp_path_factory.mktemp("docs"))
