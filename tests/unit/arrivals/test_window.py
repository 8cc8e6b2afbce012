"""The window of a run is a pure function of the spans."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pedalflow.errors import DataMissing, SettingsError
from pedalflow.spans import Span, SpanState
from pipelines.arrivals.window import window

SPANS = (
    Span(1, "/w/span-01.csv", 8645, "2011-01-01", "2011-12-31", "a" * 32, SpanState.PRESENT),
    Span(2, "/w/span-02.csv", 741, "2012-01-01", "2012-01-31", "b" * 32, SpanState.PRESENT),
    Span(3, "/w/span-03.csv", 692, "2012-02-01", "2012-02-29", "c" * 32, SpanState.PRESENT),
)


def test_evaluation_days_are_the_last_of_the_newest_span() -> None:
    chosen = window(SPANS, 2, 14)
    assert chosen.spans == SPANS[:2]
    assert (chosen.evaluation_first, chosen.evaluation_last) == (date(2012, 1, 18), date(2012, 1, 31))


def test_fingerprint_follows_numbers_and_hashes_and_nothing_else() -> None:
    fingerprint = window(SPANS, 2, 14).fingerprint
    moved = tuple(replace(span, path="/elsewhere.csv") for span in reversed(SPANS))
    changed = (SPANS[0], replace(SPANS[1], md5="d" * 32))
    assert window(moved, 2, 14).fingerprint == fingerprint
    assert window(changed, 2, 14).fingerprint != fingerprint
    assert window(SPANS, 3, 14).fingerprint != fingerprint


@pytest.mark.parametrize("state", [SpanState.MISSING, SpanState.MODIFIED])
def test_span_whose_file_is_not_as_recorded_stops_the_run(state: SpanState) -> None:
    with pytest.raises(DataMissing, match=f"span 1 is {state.value}"):
        window((replace(SPANS[0], state=state), SPANS[1]), 2, 14)


def test_span_that_has_not_arrived_is_named() -> None:
    with pytest.raises(DataMissing, match="span 2 has not arrived"):
        window((SPANS[0], SPANS[2]), 3, 14)


@pytest.mark.parametrize(("until", "days"), [(2, 0), (2, 31), (2, 40), (0, 14)])
def test_window_that_leaves_nothing_to_train_or_judge_is_refused(until: int, days: int) -> None:
    with pytest.raises(SettingsError):
        window(SPANS, until, days)
