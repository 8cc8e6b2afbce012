"""Pictures and tables as a notebook keeps them."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from PIL import Image

from pipelines.notebooks.showing import as_html, png, said
from pipelines.notebooks.style import panels


def test_the_same_figure_is_the_same_small_picture() -> None:
    def drawn() -> bytes:
        figure, (axes,) = panels()
        axes.plot([1, 3, 2])
        return png(figure)

    assert drawn() == drawn()
    assert Image.open(io.BytesIO(drawn())).size[0] == 990
    assert len(drawn()) < 30_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (True, "yes"),
        (1234.56, "1,234.6"),
        (12, "12"),
        (pd.Timestamp("2012-01-02"), "2012-01-02"),
        (pd.Timestamp("2012-01-02 17:00"), "2012-01-02 17:00"),
    ],
)
def test_values_are_said_as_people_read_them(value: object, text: str) -> None:
    assert said(value) == text


def test_a_table_escapes_what_it_shows_and_puts_numbers_to_the_right() -> None:
    html = as_html(pd.DataFrame({"name": ["<b>"], "value": [1.5]}), "a & b")
    assert "&lt;b&gt;" in html and "a &amp; b" in html
    assert '<td style="text-align:right;vertical-align:top">1.5</td>' in html
