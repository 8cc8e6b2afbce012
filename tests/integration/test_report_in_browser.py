"""The report in a real browser: it fits a telephone and a desk, shows every section in both colour schemes,
and asks for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.report import render
from tests.samples import browser
from tests.samples.browser import DARK
from tests.samples.real_loop import real_loop

SECTIONS = ("comparison", "error", "gates", "data", "timings", "lineage", "settings", "earlier")
MEASURE = """
<body><script>
function measure(frame) {
  const inside = frame.contentDocument, root = inside.documentElement;
  inside.querySelectorAll('details').forEach(part => { part.open = true; });
  const box = part => part.getBoundingClientRect();
  const shown = [...inside.querySelectorAll('svg')].filter(drawing => box(drawing).width > 0);
  const texts = shown.flatMap(drawing => [...drawing.querySelectorAll('text')]);
  const scales = shown.map(drawing => box(drawing).width / drawing.viewBox.baseVal.width);
  document.body.innerHTML = '<pre>' + JSON.stringify({
    width: root.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    sections: [...inside.querySelectorAll('section')].filter(part => box(part).height > 40).map(p => p.id),
    drawings: shown.length,
    outside: texts.filter(text => box(text).right > root.clientWidth + 1).map(text => text.textContent),
    smallest: Math.min(...scales),
    requests: frame.contentWindow.performance.getEntriesByType('resource').map(entry => entry.name),
    paper: frame.contentWindow.getComputedStyle(inside.body).backgroundColor,
    policy: inside.querySelector('meta[http-equiv]').content,
  }) + '</pre>';
}
</script>
<iframe style="border:0;width:%dpx;height:900px" onload="measure(this)" srcdoc="%s"></iframe>
"""

pytestmark = browser.needs_browser


def measured(page: str, width: int, folder: Path, *flags: str) -> dict[str, Any]:
    """What the browser found of `page` in a window of `width` CSS pixels."""
    return browser.measured(MEASURE, page, width, folder, *flags)


@pytest.fixture(scope="module")
def page() -> str:
    return render(real_loop(), unit="rentals an hour")


@pytest.mark.parametrize("width", [380, 700, 1050, 1400])
def test_the_page_fits_its_window_and_asks_for_nothing(page: str, width: int, tmp_path: Path) -> None:
    found = measured(page, width, tmp_path)

    assert found["width"] == width
    assert found["overflow"] <= 0
    assert found["sections"] == list(SECTIONS)
    assert found["outside"] == [], "text of a drawing is cut off at the right"
    assert found["smallest"] >= 0.9, "a drawing is shrunk, and its text with it"
    assert found["requests"] == []
    assert found["policy"].startswith("default-src 'none'")


def test_each_drawing_is_shown_at_one_size(page: str, tmp_path: Path) -> None:
    narrow, wide = measured(page, 380, tmp_path), measured(page, 1400, tmp_path)

    assert narrow["drawings"] == wide["drawings"] > 20


def test_the_dark_scheme_turns_the_paper_dark(page: str, tmp_path: Path) -> None:
    light, dark = measured(page, 1400, tmp_path), measured(page, 1400, tmp_path, DARK)

    assert light["paper"] == "rgb(255, 255, 255)"
    assert dark["paper"] == "rgb(20, 24, 28)"
