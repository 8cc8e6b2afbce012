"""Docs that cannot rot: pages are compared with what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipelines.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


def described_fields(section: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Every leaf of `params.yaml` with the sentence under it."""
    fields: dict[str, str] = {}
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            fields |= described_fields(inner, f"{prefix}{name}.")
        else:
            fields[prefix + name] = field.description or ""
    return fields


def test_every_parameter_is_documented_with_the_sentence_that_stands_in_the_code() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == described_fields(Settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    decisions = {path.name for path in ROOT.glob("docs/decisions/0*.md")}
    assert decisions == set(re.findall(r"\]\((0\d{3}[\w-]*\.md)\)", index))


def test_every_dependency_has_its_reason() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    asked = set(re.findall(r'^  "([\w-]+)', extras, re.MULTILINE))
    reasons = (ROOT / "docs" / "decisions" / "0004-dependencies.md").read_text(encoding="utf-8")
    assert {"tfx", "seldon-core", "fastapi", "papermill", "ruff"} <= asked
    assert {name for name in asked if not re.search(rf"`{name}[`\[]", reasons)} == set()


def test_every_type_of_event_is_documented() -> None:
    """Those that are sent or read, wherever the code names one."""
    rooms = ("serving", "triggers", "pipelines")
    code = "\n".join(p.read_text(encoding="utf-8") for room in rooms for p in (ROOT / room).rglob("*.py"))
    types = set(
        re.findall(r'"((?:io\.seldon|io\.pedalflow|org\.kubeflow|google\.cloud)\.[a-z0-9.-]+)"', code)
    )
    sources = {name for name in types if not re.search(r"inference|feedback|completion|finalized", name)}
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(types - sources) > 8
    assert {name for name in types - sources if name not in pages} == set()
