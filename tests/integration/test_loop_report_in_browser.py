"""The loop's part of the report in a real browser: it fits a telephone and a desk, and its picture can be read at either size."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.report import render
from tests.integration.test_report_in_browser import SECTIONS, measured
from tests.samples.browser import DARK, needs_browser
from tests.samples.loop_record_sample import loop_record_sample
from tests.samples.run_record import first_run, tiny_predictions, tiny_record

OF_THE_LOOP = ("picture", "scores", "events", "rollouts", "staged", "versions", "phases")

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page() -> str:
    run = (tiny_record(), tiny_predictions())
    return render([run, first_run(run)], unit="rentals an hour", loop=loop_record_sample())


@pytest.mark.parametrize("width", [380, 700, 1050, 1400])
def test_the_page_of_the_loop_fits_its_window_and_asks_for_nothing(
    page: str, width: int, tmp_path: Path
) -> None:
    found = measured(page, width, tmp_path)

    assert found["width"] == width
    assert found["overflow"] <= 0
    assert found["sections"] == [*(f"loop-{name}" for name in OF_THE_LOOP), "newest", *SECTIONS]
    assert found["outside"] == [], "text of a drawing is cut off at the right"
    assert found["smallest"] >= 0.9, "a drawing is shrunk, and its text with it"
    assert found["requests"] == []


def test_the_loop_turns_dark_with_the_page(page: str, tmp_path: Path) -> None:
    assert measured(page, 1400, tmp_path, DARK)["paper"] == "rgb(20, 24, 28)"
