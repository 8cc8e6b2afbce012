"""The plan's key: what makes it another run, and what does not. The code's fingerprint likewise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pedalflow.run_record import SpanUsed
from pipelines.plan import Plan, PlannedSpan, code_fingerprint

SPAN = PlannedSpan(SpanUsed(1, 10, "2011-01-01", "2011-12-31", "a" * 32), "/data/span-01.csv")
NEXT = PlannedSpan(SpanUsed(2, 10, "2012-01-01", "2012-01-31", "b" * 32), "/data/span-02.csv")
PLAN = Plan(
    use_case="bikeshare",
    spans=(SPAN,),
    first_evaluation_day="2011-12-18",
    commit="c",
    dirty=False,
    code="f",
    parameters={"model": {"epochs": 3}, "gates": {"minimum_rows": 1}},
    environment={"tfx": "1.16.0"},
    registry="sqlite",
)


@pytest.mark.parametrize(
    "change",
    [
        {"use_case": "trams"},
        {"spans": (SPAN, NEXT)},
        {"spans": (replace(SPAN, used=replace(SPAN.used, md5="d" * 32)),)},
        {"first_evaluation_day": "2011-12-19"},
        {"commit": "d"},
        {"code": "g"},
        {"parameters": {**PLAN.parameters, "model": {"epochs": 4}}},
        {"parameters": {**PLAN.parameters, "gates": {"minimum_rows": 2}}},
        {"environment": {"tfx": "1.17.0"}},
        {"dirty": True},
        {"registry": "elsewhere"},
    ],
)
def test_what_decides_the_result_changes_the_key(change: dict[str, object]) -> None:
    assert replace(PLAN, **change).key != PLAN.key


@pytest.mark.parametrize(
    "change",
    [
        {"champion": "/releases/r-1"},
        {"spans": (replace(SPAN, path="/elsewhere/span-01.csv"),)},
        {"parameters": dict(reversed(PLAN.parameters.items()))},
    ],
)
def test_champion_paths_and_order_of_parameters_do_not_change_the_key(change: dict[str, object]) -> None:
    assert replace(PLAN, **change).key == PLAN.key


def test_facts_of_a_release_name_neither_paths_nor_champion() -> None:
    facts = replace(PLAN, champion="/releases/r-1").facts
    assert "/" not in str(facts)
    assert facts == PLAN.facts


@pytest.mark.parametrize(
    ("change", "same"), [({"code": "g"}, False), ({"environment": {}}, False), ({"commit": "d"}, True)]
)
def test_cache_of_every_node_ends_with_code_and_environment_and_not_with_the_commit(
    change: dict[str, object], same: bool
) -> None:
    assert (replace(PLAN, **change).maker == PLAN.maker) is same


def test_newest_span_names_the_run() -> None:
    assert replace(PLAN, spans=(SPAN, NEXT)).until_span == 2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (
        ("bikes/a.py", "1"),
        ("bikes/deep/b.py", "2"),
        ("other/c.py", "3"),
        ("bikes/notes.md", "4"),
    ):
        path = tmp_path / "one" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "one"


def test_fingerprint_is_the_same_in_another_folder(root: Path) -> None:
    before = code_fingerprint(root, ("bikes",))
    moved = root.rename(root.with_name("two"))
    assert code_fingerprint(moved, ("bikes",)) == before


@pytest.mark.parametrize(
    ("name", "text", "same"),
    [
        ("bikes/a.py", "9", False),
        ("bikes/new.py", "", False),
        ("other/c.py", "9", True),
        ("bikes/notes.md", "9", True),
    ],
)
def test_fingerprint_sees_the_sources_of_its_packages_and_nothing_else(
    root: Path, name: str, text: str, same: bool
) -> None:
    before = code_fingerprint(root, ("bikes",))
    (root / name).write_text(text, encoding="utf-8")
    assert (code_fingerprint(root, ("bikes",)) == before) is same


def test_fingerprint_sees_a_module_renamed(root: Path) -> None:
    before = code_fingerprint(root, ("bikes",))
    (root / "bikes" / "a.py").rename(root / "bikes" / "z.py")
    assert code_fingerprint(root, ("bikes",)) != before
