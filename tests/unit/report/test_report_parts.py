"""Numbers, dates, series and shapes: the small parts that the report is made of."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import pytest

from pedalflow import svg
from pedalflow.run_record import FeatureStatistics, GateResult
from pipelines.report import charts, drawings, series, wording
from pipelines.report.histogram import histogram
from tests.samples.run_record import first_run, tiny_predictions, tiny_record


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0"),
        (81.857, "81.9"),
        (-0.4741, "−0.474"),
        (12345.6, "12,346"),
        (1e-9, "1.00e−09"),
    ],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert wording.figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.1, "1.1"), (0.3, "0.3"), (100, "100"), (1000.0, "1,000"), (23.0, "23")]
)
def test_plain_numbers_carry_no_zeros_at_the_end(value: float, text: str) -> None:
    assert wording.plain(value) == text


def test_a_column_of_numbers_has_one_number_of_decimals() -> None:
    assert [wording.aligned(value, 46.6) for value in (46.558, 155.654, -6.2752)] == ["46.6", "155.7", "−6.3"]
    assert wording.aligned(3.0, 0.0) == "3.0"


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("2012-03-17", "2012-03-30", "17–30 March 2012"),
        ("2012-03-17", "2012-03-17", "17 March 2012"),
        ("2012-02-20", "2012-03-04", "20 February – 4 March 2012"),
        ("2011-12-25", "2012-01-07", "25 December 2011 – 7 January 2012"),
    ],
)
def test_periods_are_written_as_one_reads_them(first: str, last: str, text: str) -> None:
    assert wording.days(first, last) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.42, "0.4 s"), (38.2, "38 s"), (125.0, "2 min 05 s"), (119.7, "2 min 00 s")]
)
def test_durations(value: float, text: str) -> None:
    assert wording.seconds(value) == text


def test_a_gate_that_was_not_measured_says_so() -> None:
    gate = GateResult("skill", "weather=rain", None, 0.9, "", False, "no rows")

    assert wording.gate_sentence(gate) == "“skill” could not be measured on weather=rain"


def test_nested_parameters_become_dotted_names_in_order() -> None:
    assert wording.flat({"b": {"y": [1, 2], "x": None}, "a": True}) == (
        ("a", "True"),
        ("b.x", "None"),
        ("b.y", "1, 2"),
    )


def test_daily_error_is_the_root_of_the_mean_square() -> None:
    errors = series.rmse_by(tiny_predictions(), "dteday")

    assert list(errors.index) == ["2012-01-30", "2012-01-31"]
    assert errors["candidate"].tolist() == pytest.approx([5.0, 5.0])
    assert errors["champion"].tolist() == pytest.approx([20.0, 20.0])


def test_a_first_run_has_no_line_for_the_previous_model() -> None:
    _, predictions = first_run((tiny_record(), tiny_predictions()))

    assert "champion" not in series.rmse_by(predictions, "hr")
    assert "label previous" not in charts.error_by_hour(predictions, "x")
    assert "label previous" in charts.error_by_hour(tiny_predictions(), "x")


def test_a_missing_hour_leaves_a_gap() -> None:
    frame = series.hourly(tiny_predictions().drop(index=[5]))

    assert len(frame) == 48
    assert np.flatnonzero(frame["actual"].isna()).tolist() == [5]


def test_weeks_have_seven_days_and_the_rest() -> None:
    predictions = tiny_predictions()
    long = predictions.assign(
        dteday=[f"2012-01-{1 + index // 4:02d}" for index in range(48)], hr=[index % 4 for index in range(48)]
    )

    assert [len(week) for week in series.weeks(long)] == [7 * 24, 5 * 24]
    assert series.weeks(predictions.iloc[:0]) == ()


def test_a_line_breaks_where_a_value_is_missing() -> None:
    assert svg.path([(0, 1), (1, 2), (2, float("nan")), (3, 4.26)]) == "M0 1L1 2M3 4.3"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, (0, 25, 50, 75, 100)), (0, 269, (0, 100, 200, 300)), (0, 0.07, (0, 0.02, 0.04, 0.06, 0.08))],
)
def test_ticks_are_round_and_reach_the_top(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert svg.ticks(low, high, 4) == pytest.approx(expected)


def test_labels_are_moved_apart_and_stay_inside() -> None:
    placed = drawings.spread([100.0, 101.0, 99.0], 0, 100)

    assert sorted(placed) == pytest.approx([72.0, 86.0, 100.0])
    assert placed[2] < placed[0] < placed[1], "their order is kept"


def statistics(split: str, *bins: tuple[float | str, float | str, float]) -> FeatureStatistics:
    return FeatureStatistics("x", split, 10, 0, None, None, None, None, bins)


def test_histograms_of_numbers_text_one_value_and_nothing() -> None:
    assert (
        histogram(
            [statistics("train", (0.0, 1.0, 4.0), (1.0, 2.0, 6.0)), statistics("eval", (0.5, 1.5, 9.0))], "h"
        ).count("<path")
        == 2
    )
    assert "<path" in histogram(
        [statistics("train", ("a", "", 4.0), ("b", "", 6.0)), statistics("eval", ("b", "", 1.0))], "h"
    )
    assert "<path" in histogram([statistics("train", (3.0, 3.0, 10.0))], "h")
    assert "<path" in histogram([statistics("train", (0.0, 1.0, 0.0))], "h")
    assert histogram([statistics("train")], "h") == ""


def palette(block: str) -> dict[str, tuple[float, float, float]]:
    """The colours of one `:root` block as linear red, green and blue."""

    def linear(part: str) -> float:
        share = int(part * 2 if len(part) == 1 else part, 16) / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    colours = {}
    for name, code in re.findall(r"--([a-z-]+): #([0-9a-f]{3,6});", block):
        size = len(code) // 3
        colours[name] = tuple(linear(code[index : index + size]) for index in range(0, len(code), size))
    return colours


def luminance(colour: tuple[float, float, float]) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


TEXT_ON_GROUND = {
    "paper": ("ink", "muted", "new", "previous", "naive", "good", "bad"),
    "panel": ("ink", "muted", "bad"),
    "good-soft": ("good",),
    "bad-soft": ("bad", "ink"),
    "calm-soft": ("calm",),
}


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize("ground", TEXT_ON_GROUND)
def test_every_colour_of_text_stands_out_from_its_ground(scheme: int, ground: str) -> None:
    style = resources.files("pipelines.report").joinpath("style.css").read_text(encoding="utf-8")
    colours = palette(re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme])
    least = 4.5  # WCAG 2.2, success criterion 1.4.3

    for name in TEXT_ON_GROUND[ground]:
        dark, light = sorted((luminance(colours[name]), luminance(colours[ground])))
        assert (light + 0.05) / (dark + 0.05) >= least, name
