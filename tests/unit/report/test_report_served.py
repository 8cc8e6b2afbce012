"""What the report and the terminal say of a replay."""

from __future__ import annotations

from dataclasses import replace

from pedalflow.replay_record import ConceptDay, from_json, to_json
from pedalflow.replay_table import concept_sentence, replay_table
from pipelines.report.html import render
from pipelines.report.served import served_section
from tests.samples.replay_record import replay_record
from tests.samples.run_record import tiny_predictions, tiny_record

RECORD = replay_record()
RUN = (tiny_record(), tiny_predictions())


def test_a_record_survives_its_json() -> None:
    assert from_json(to_json(RECORD)) == RECORD


def test_the_page_shows_answers_outliers_drift_and_one_explanation() -> None:
    page = render([RUN], replay=RECORD)
    for said in (
        "r-26fb0378a56a",
        "gRPC",
        "atemp is far from",
        "staged: temp is stuck",
        "✗ drift",
        "Why this number",
    ):
        assert said in page


def test_a_page_without_a_replay_has_no_such_section() -> None:
    assert 'id="served"' not in render([RUN])


def test_a_hostile_text_is_shown_and_not_run() -> None:
    page = render([RUN], replay=replace(RECORD, title="<script>alert(1)</script>"))
    assert "<script>" not in page


def test_a_replay_without_hours_windows_or_labels_says_so() -> None:
    empty = replace(RECORD, hours=(), windows=(), concept=(), explanation=None, kept=0, kept_out={})
    page = render([RUN], replay=empty)
    assert "too few requests to fill a window" in page and "No row was flagged" in page


def test_the_first_day_of_concept_drift_is_named() -> None:
    days = tuple(ConceptDay(f"2012-04-{day:02d}", 0.4, float(day), 2.5, day > 2) for day in range(1, 6))
    said = concept_sentence(replace(RECORD, concept=days))
    assert "detected on 2012-04-03, after 3 days of labels" in said and "49% above the predictions" in said


def test_the_error_is_that_of_the_served_hours() -> None:
    hours = tuple(replace(hour, actual=hour.prediction - 3.0) for hour in RECORD.hours)
    assert abs(served_section(replace(RECORD, hours=hours)).rmse - 3.0) < 1e-9


def test_the_terminal_tells_the_same() -> None:
    said = replay_table(RECORD)
    assert (
        "2012-04-01 to 2012-04-07 (staged: temp is stuck)" in said
        and "1 ordinary and 0 staged rows flagged" in said
    )
