"""The policy as people and scripts read it, with the numbers that are in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pedalflow.tables import table
from triggers.events import Kind
from triggers.policy import Rule, span_text

HEADERS = ("kind", "action", "settles", "cools down", "quiet", "votes", "needs new data", "why")


def as_text(rules: Mapping[Kind, Rule]) -> str:
    """One line a rule."""
    return table([_row(rule) for rule in rules.values()], HEADERS)


def _row(rule: Rule) -> tuple[str, ...]:
    times = (rule.settle_s, rule.cool_down_s, rule.quiet_s)
    votes = "" if rule.votes.of == 1 else f"{rule.votes.needed} of {rule.votes.of}"
    texts = (span_text(seconds) if seconds else "" for seconds in times)
    return (rule.kind.value, rule.action.value, *texts, votes, "yes" if rule.needs_new_data else "", rule.why)


def as_json(rules: Mapping[Kind, Rule]) -> list[dict[str, Any]]:
    """One object a rule; times in seconds."""
    return [
        {
            "kind": rule.kind.value,
            "action": rule.action.value,
            "settle_s": rule.settle_s,
            "cool_down_s": rule.cool_down_s,
            "quiet_s": rule.quiet_s,
            "votes": {"needed": rule.votes.needed, "of": rule.votes.of},
            "needs_new_data": rule.needs_new_data,
            "why": rule.why,
        }
        for rule in rules.values()
    ]
