"""The page on triggers names every rule of the policy, every setting with its default and meaning, every source and every metric."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel

from triggers.events import Source
from triggers.launchers.launcher_settings import (
    CloudBuildSettings,
    GithubSettings,
    KubeflowSettings,
    LaunchersSettings,
    LocalSettings,
    Name,
)
from triggers.metrics import METRICS, Metric
from triggers.policy import RULES, Rule, span_text
from triggers.settings import RuleNumbers, Slot, TriggersSettings
from triggers.sources.source_settings import SourceSettings

PAGE = (Path(__file__).parents[3] / "docs" / "triggers.md").read_text(encoding="utf-8")
SETTINGS = (
    TriggersSettings,
    RuleNumbers,
    Slot,
    LaunchersSettings,
    LocalSettings,
    KubeflowSettings,
    GithubSettings,
    CloudBuildSettings,
)


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its header."""
    section = PAGE.partition(f"\n{title}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def row_of(rule: Rule) -> list[str]:
    times = (rule.settle_s, rule.cool_down_s, rule.quiet_s)
    votes = f"{rule.votes.needed} of {rule.votes.of}" if rule.votes.of > 1 else "–"
    return [
        f"`{rule.kind.value}`",
        rule.action.value,
        *(span_text(seconds) if seconds else "–" for seconds in times),
        votes,
        "yes" if rule.needs_new_data else "–",
        rule.why,
    ]


def test_the_table_of_the_policy_is_the_policy() -> None:
    assert rows("## The policy") == [row_of(rule) for rule in RULES]


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_setting_is_described_where_its_class_is(kind: type[BaseModel]) -> None:
    table = rows(f"### `{kind.__name__}`")
    assert [(row[0], row[2]) for row in table] == [
        (f"`{name}`", field.description) for name, field in kind.model_fields.items()
    ]


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_default_is_the_one_that_counts(kind: type[BaseModel]) -> None:
    shown = {row[0].strip("`"): row[1] for row in rows(f"### `{kind.__name__}`")}
    for name, field in kind.model_fields.items():
        if field.is_required():
            assert shown[name] == "needed"
        elif isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert float(shown[name].strip("`")) == field.default
        elif isinstance(field.default, str) and field.default:
            assert shown[name] == f"`{getattr(field.default, 'value', field.default)}`"


def test_every_setting_of_the_sources_is_described_with_its_default() -> None:
    table = rows("### `SourceSettings`")
    assert [row[0] for row in table] == [f"`{field.name}`" for field in fields(SourceSettings)]
    for row, field in zip(table, fields(SourceSettings), strict=True):
        values = field.default if isinstance(field.default, tuple) else (field.default,)
        assert row[1] == ", ".join(f"`{value}`" for value in values)
        assert row[2].lower() in " ".join(str(SourceSettings.__doc__).split()).lower()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_described_with_its_kind_and_labels(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    assert [f"`{metric.name}`", metric.kind, labels, metric.doc] in rows("## Metrics")


@pytest.mark.parametrize("source", Source)
def test_every_source_has_an_example_to_copy(source: Source) -> None:
    assert f"/events/{source.value} -H " in PAGE


@pytest.mark.parametrize("launcher", Name)
def test_every_launcher_is_explained(launcher: Name) -> None:
    assert f"| `{launcher.value}` |" in PAGE
