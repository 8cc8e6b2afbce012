"""The page in a real browser, of a real service with a history: what it shows, that it fits, and that everybody can use it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration_triggers import year
from tests.integration_triggers.door import Door, make_workspace, serving
from tests.samples import browser
from tests.samples.browser import DARK, opened

MEASURE = """
<body><script>
function measure(frame) {
  const inside = frame.contentDocument, root = inside.documentElement, view = frame.contentWindow;
  const box = part => part.getBoundingClientRect();
  const shown = [...inside.querySelectorAll('svg')].filter(drawing => box(drawing).width > 0);
  const texts = shown.flatMap(drawing => [...drawing.querySelectorAll('text')]);
  const small = [...inside.querySelectorAll('nav a, td a, th a')].filter(link => box(link).height < 15);
  document.body.innerHTML = '<pre>' + JSON.stringify({
    width: root.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    sections: [...inside.querySelectorAll('section')].filter(part => box(part).height > 40).map(part => part.id),
    drawings: shown.length,
    outside: texts.filter(text => box(text).right > root.clientWidth + 1 || box(text).left < 0).map(text => text.textContent),
    smallest: Math.min(...shown.map(drawing => box(drawing).width / drawing.viewBox.baseVal.width)),
    small: small.map(link => link.textContent),
    rows: [...inside.querySelectorAll('table.events tbody tr')].length,
    paper: view.getComputedStyle(inside.body).backgroundColor,
    skip: box(inside.querySelector('.skip')).right,
  }) + '</pre>';
}
</script>
<iframe style="border:0;width:%dpx;height:900px" onload="measure(this)" srcdoc="%s"></iframe>
"""

pytestmark = browser.needs_browser


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    workspace = make_workspace(tmp_path_factory.mktemp("page"), year.answers())
    with serving(workspace, clock="data") as served:
        year.play(served)
        yield served


def console(log: str) -> list[str]:
    """What the page made the browser say, such as something that was refused or not found."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def measured(door: Door, path: str, width: int, folder: Path, *flags: str) -> dict[str, Any]:
    """What the browser found of a page in a window of `width` CSS pixels, with the service's own style sheet."""
    style = f"<style>{door.client.get('/style.css').text}</style>"
    page = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: style, door.client.get(path).text)
    return browser.measured(MEASURE, page, width, folder, *flags)


def text_of(document: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", document)).split())


def test_the_first_page_shows_the_history_and_the_browser_has_nothing_to_say(
    door: Door, tmp_path: Path
) -> None:
    document, log = opened(tmp_path, f"{door.address}/")
    text = text_of(document)
    assert "r-000000000003 serves" in text and "RMSE, WAPE" in text
    assert "✓ promoted the canary was better" in text
    assert "↩ rolled back the canary's error was 12 % higher over 240 rows" in text
    assert "✗ refused by the gate" in text
    assert "recorded the detector looked and found no drift" in text
    assert "Nothing is at work and nothing waits." in text
    assert console(log) == []


@pytest.mark.parametrize("what", ["event", "run", "release"])
def test_every_page_behind_it_opens_and_tells_its_trace(door: Door, tmp_path: Path, what: str) -> None:
    run = next(run for run in door.runs() if run["outcome"] == "promoted")
    event = next(event for event in door.get("/api/events?limit=200")["events"] if event["run"] == run["id"])
    path = {
        "event": f"events/{event['id']}",
        "run": f"runs/{run['id']}",
        "release": f"trace/{run['release']}",
    }[what]
    document, log = opened(tmp_path, f"{door.address}/{path}")
    text = text_of(document)
    assert "Why, and what came of it" in text
    assert f"event {event['id']} asked for run {run['id']}" in text
    assert f"run {run['id']} made release {run['release']}" in text
    assert console(log) == []


def test_the_style_sheet_is_applied_under_the_policy_of_the_service(door: Door, tmp_path: Path) -> None:
    _, log = opened(tmp_path, f"{door.address}/nowhere")
    assert [line for line in console(log) if "Content Security Policy" in line] == []
    assert door.client.get("/style.css").headers["content-type"] == "text/css; charset=utf-8"


def test_the_older_events_are_reached_by_plain_links(door: Door) -> None:
    seen: list[str] = []
    path: str | None = "/"
    while path:
        document = door.client.get(path).text
        seen += re.findall(r'<th scope="row" class="whole"><a href="/events/(e-[0-9a-f]+)"', document)
        older = re.search(r'<a href="([^"]+)#events">Older events</a>', document)
        path = html.unescape(older.group(1)) if older else None
    assert len(seen) == len(set(seen)) > 100
    only = door.client.get("/?kind=drift").text
    assert set(re.findall(r'<td class="whole">([a-z-]+)<span', only)) == {"drift"}


@pytest.mark.parametrize("width", [400, 700, 1050, 1400])
@pytest.mark.parametrize("page", ["first", "run"])
def test_pages_fit_their_window(door: Door, tmp_path: Path, width: int, page: str) -> None:
    path = "/" if page == "first" else f"/runs/{door.runs()[-1]['id']}"
    found = measured(door, path, width, tmp_path)
    assert found["width"] == width and found["overflow"] <= 0
    assert found["outside"] == [], "text of a drawing is cut off"
    assert found["small"] == [], "a link is too small to hit"
    assert found["skip"] < 0, "the link to the content shows only when it has the focus"
    if page == "first":
        assert found["drawings"] == 1 and found["smallest"] >= 0.9, (
            "the drawing is shrunk, and its text with it"
        )
        assert found["sections"] == ["now", "drift", "runs", "events"] and found["rows"] == 30


def test_the_dark_scheme_turns_the_paper_dark(door: Door, tmp_path: Path) -> None:
    light, dark = measured(door, "/", 1050, tmp_path), measured(door, "/", 1050, tmp_path, DARK)
    assert (light["paper"], dark["paper"]) == ("rgb(255, 255, 255)", "rgb(20, 24, 28)")
