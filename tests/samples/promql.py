"""Reads just enough of PromQL to say which metrics and labels an expression asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")


def metrics_of(expression: str) -> set[str]:
    """The metrics, histograms without the suffix of their series. Records, whose names have colons, are left out."""
    bare = _LISTS.sub(" ", _without_text(expression))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])", bare)
    return {_SUFFIX.sub("", name) for name in names if name not in _WORDS and ":" not in name}


def labels_of(expression: str) -> Iterator[tuple[str, str, str]]:
    """What selectors ask of a metric: metric, label, and the value or pattern."""
    for name, inside in _SELECTOR.findall(expression):
        for label, value in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', inside):
            yield _SUFFIX.sub("", name), label, value


def grouped_by(expression: str) -> set[str]:
    """The labels in by (…), on (…) and their like."""
    inside = _LISTS.findall(_without_text(expression))
    return {label.strip() for each in inside for label in each.split(",") if label.strip()}


def _without_text(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)
