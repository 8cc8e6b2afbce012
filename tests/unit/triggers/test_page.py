"""The page: what it shows, that nothing foreign gets into it as markup, and that everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from triggers import page
from triggers.answers import run_answer
from triggers.drift_chart import HIGHEST, drift_chart, markers, points, scored
from triggers.events import Event, Kind, Source
from triggers.overview import Champion, Overview
from triggers.page import Asked, FirstPage, RunRow
from triggers.pause import Pause
from triggers.policy import Action, Lane, Outcome
from triggers.records import Depth, Phase, StoredEvent, StoredRun
from triggers.tracing.graph import Edge, Node, Thing, Tie, Trace
from triggers.wording import run_badge

DAY = 86400.0
NOW = 1_763_720_000.0
DATA = 1_325_376_000.0  # 2012-01-01
EVIL = "<script>alert(1)</script>\"'&"


def verdict(number: int, score: float, kind: Kind = Kind.CONCEPT_DRIFT, **changes: Any) -> StoredEvent:
    """A verdict of the detectors, a day of data after the one before."""
    facts = {
        "score": score,
        "threshold": 1.0,
        "is_drift": score > 1,
        "release": "r-1",
        **changes.pop("facts", {}),
    }
    event = Event(
        source=Source.CLOUDEVENTS,
        delivery=f"d{number}",
        kind=kind,
        subject="model/concept-drift",
        summary=f"Verdict {number}: score {score}",
        data_time=changes.pop("data_time", DATA + number * DAY),
        facts=facts,
    )
    drifts = score > 1
    return StoredEvent(
        number=number,
        id=f"e-{number:04x}",
        event=event,
        received=NOW + number,
        action=Action.RETRAIN if drifts else Action.RECORD,
        outcome=(Outcome.STARTS if drifts else Outcome.RECORDED).value,
        reason="the labels no longer follow" if drifts else "the detector looked and found no drift",
        run="q-01" if drifts else "",
        **changes,
    )


RUN = StoredRun(
    number=1,
    id="q-01",
    lane=Lane.TRAIN,
    action=Action.RETRAIN,
    phase=Phase.SUCCEEDED,
    created=NOW + 3,
    created_now=NOW,
    due=NOW,
    note="the canary was better",
    started=NOW + 3.5,
    finished=NOW + 65,
    outcome="promoted",
    release="r-2",
)
WAITING = replace(
    RUN,
    number=2,
    id="q-02",
    phase=Phase.WAITING,
    started=None,
    finished=None,
    outcome="",
    release="",
    note="cools down",
)
SERIES = (verdict(1, 0.4), verdict(2, 0.9), verdict(3, 1.8), verdict(4, 0.2, facts={"release": "r-2"}))
TRACE = Trace(
    start="q-01",
    nodes=(
        Node(Thing.RUN, "q-01", "a run"),
        Node(Thing.EVENT, "e-0003", "the labels no longer follow"),
        Node(Thing.WINDOW, "2012-01-03", "a day"),
    ),
    edges=(Edge("2012-01-03", "e-0003", Tie.JUDGED_BY), Edge("e-0003", "q-01", Tie.ASKED_FOR)),
    answer="Run q-01 started because the labels no longer follow the predictions.",
    notes=("something could not be read",),
)


def shown(**changes: Any) -> FirstPage:
    filled = FirstPage(
        overview=Overview(
            Champion("r-2", NOW, 52.25, 0.144, 163, DATA + 9 * DAY), (), (WAITING,), Depth(0, None, 1, NOW, 0)
        ),
        chart=drift_chart(SERIES, [RUN]),
        runs=(RunRow(WAITING, ()), RunRow(RUN, (SERIES[2],))),
        events=tuple(reversed(SERIES)),
        older_runs=None,
        older_events=1,
        now=NOW + 7200,
        clock=NOW + 7200,
    )
    return replace(filled, **changes)


PAUSED = replace(shown().overview, pause=Pause("e-0009", "ada", f"the cluster is upgraded {EVIL}", DATA))
EMPTY = shown(
    overview=Overview(Champion(""), (), (), Depth(0, None, 0, None, 0)),
    chart=drift_chart((), ()),
    runs=(),
    events=(),
    older_events=None,
)


class Document(HTMLParser):
    """The elements of a page: names with their attributes, and the text that is in each kind."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            continue

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag == name]


PAGES = {
    "first": page.first_page(shown(), Asked()),
    "paused": page.first_page(shown(overview=PAUSED), Asked()),
    "empty": page.first_page(EMPTY, Asked(Kind.DRIFT, 5, 6, True)),
    "event": page.event_page(SERIES[2], TRACE),
    "event without trace": page.event_page(SERIES[0], None),
    "run": page.run_page(RunRow(RUN, (SERIES[2],)), TRACE, NOW + 100),
    "trace": page.trace_page(replace(TRACE, start="2012-01-03")),
    "error": page.error_page(404, "there is no such thing"),
}


@pytest.fixture(params=PAGES, ids=str)
def document(request: pytest.FixtureRequest) -> Document:
    return Document(PAGES[request.param])


def test_the_first_page_says_who_serves_how_well_and_what_waits_for_what() -> None:
    text = " ".join(re.sub(r"<[^>]+>", " ", PAGES["first"]).split())
    assert "r-2 serves" in text
    assert "2 h 2025-11-21" in text  # the champion's age, and since when
    assert "52.2 RMSE, WAPE 14 %" in text
    assert (
        "… waiting Run q-02 , retrain the deployed pipeline on the new spans" in text and "cools down" in text
    )
    assert "✓ promoted the canary was better" in text
    assert "▶ asked for a run the labels no longer follow" in text
    assert "recorded the detector looked and found no drift" in text


def test_a_pause_stands_first_with_who_since_when_why_and_how_it_goes_on() -> None:
    text = " ".join(re.sub(r"<[^>]+>", "", PAGES["paused"]).split())
    assert "Paused by ada since 2012-01-01 00:00: the cluster is upgraded" in text
    assert "no run starts before pedalflow triggers resume --reason …." in text
    assert {"href": "/events/e-0009"} in Document(PAGES["paused"]).all("a")
    assert text.index("Paused by ada") < text.index("Rolling error")
    assert "Paused" not in PAGES["first"]


def test_an_empty_page_says_so_in_words() -> None:
    text = PAGES["empty"]
    assert "No release serves yet" in text and "No detector has said anything yet" in text
    assert "No run is older than these" in text and "No such event is older than these" in text


def test_every_row_links_to_its_page() -> None:
    links = {attributes["href"] for attributes in Document(PAGES["first"]).all("a")}
    assert {"/events/e-0001", "/events/e-0003", "/runs/q-01", "/runs/q-02", "/trace/r-2"} <= links


def test_filters_and_pages_are_plain_links_that_keep_each_other() -> None:
    asked = Asked(Kind.DRIFT, before=50, runs_before=9, refresh=True)
    assert asked.link(before=20) == "/?kind=drift&before=20&runs_before=9&refresh=15"
    assert asked.link(kind=None, before=None, runs_before=None, refresh=None) == "/"
    text = page.first_page(shown(), asked)
    assert 'href="/?kind=code&amp;runs_before=9&amp;refresh=15#events"' in text
    assert (
        '<a href="/?kind=drift&amp;runs_before=9&amp;refresh=15#events" aria-current="true">drift</a>' in text
    )


def test_the_page_loads_itself_again_only_where_that_was_asked_for() -> None:
    assert 'http-equiv="refresh" content="15"' in PAGES["empty"]
    assert "http-equiv" not in PAGES["first"]


def test_a_trace_is_told_in_sentences_with_links() -> None:
    text = " ".join(PAGES["run"].split())
    assert "Run q-01 started because the labels no longer follow the predictions." in text
    assert (
        '<a href="/events/e-0003">event e-0003</a> <b>asked for</b> <a href="/runs/q-01">run q-01</a>' in text
    )
    assert "window 2012-01-03 <b>was judged by</b>" in text, "a window has no page"
    assert "something could not be read" in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "//x", "ftp://x"]
)
def test_an_address_that_is_none_of_the_web_is_no_link(url: str) -> None:
    assert "Look at it" not in page.run_page(RunRow(replace(RUN, url=url), ()), None, NOW)
    assert 'href="HTTPS://example.com/1"' in page.run_page(
        RunRow(replace(RUN, url="HTTPS://example.com/1"), ()), None, NOW
    )


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELED])
def test_a_run_that_failed_looks_failed_whatever_it_had_reached(phase: Phase) -> None:
    run = replace(RUN, phase=phase, outcome="promoted")
    assert run_badge(run).text.endswith(phase.value)
    assert run_answer(run).outcome == phase.value
    assert run_answer(RUN).outcome == "promoted"


def test_a_release_of_any_name_leads_to_its_trace() -> None:
    odd = replace(RUN, release="r/?#1")
    text = page.first_page(
        shown(overview=replace(EMPTY.overview, champion=Champion("r?#1")), runs=(RunRow(odd, ()),)),
        Asked(),
    )
    assert 'href="/trace/r%3F%231"' in text and 'href="/trace/r/%3F%231"' in text


def test_what_strangers_wrote_is_text_and_never_markup() -> None:
    evil = replace(
        SERIES[2],
        reason=EVIL,
        run="",
        event=replace(SERIES[2].event, summary=EVIL, subject=EVIL, facts={EVIL: EVIL}),
    )
    run = replace(RUN, note=EVIL, facts={"a": EVIL}, launched_id=EVIL, launcher=EVIL)
    told = Trace(
        "q-01",
        (Node(Thing.RUN, "q-01", EVIL), Node(Thing.COMMIT, EVIL, EVIL)),
        (Edge(EVIL, "q-01", Tie.BUILT),),
        EVIL,
        (EVIL,),
    )
    waiting = replace(EMPTY.overview, waiting=(run,), champion=Champion(EVIL))
    chart = drift_chart((verdict(1, 0.5, facts={"release": EVIL}),), ())
    texts = (
        page.event_page(evil, told),
        page.run_page(RunRow(run, (evil,)), told, NOW),
        page.trace_page(told),
        page.error_page(404, EVIL),
        page.first_page(
            replace(shown(), overview=waiting, events=(evil,), runs=(RunRow(run, (evil,)),), chart=chart),
            Asked(),
        ),
    )
    for text in texts:
        assert "&lt;script&gt;" in text and not Document(text).all("script")


def test_a_page_has_one_heading_landmarks_and_a_language(document: Document) -> None:
    assert len(document.all("h1")) == len(document.all("main")) == len(document.all("header")) == 1
    assert document.all("html") == [{"lang": "en"}]
    assert document.texts["title"][0].strip() and document.texts["h1"][0].strip()
    assert {"href": "#main", "class": "skip"} in document.all("a")


def test_no_level_of_heading_is_left_out(document: Document) -> None:
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and set(levels[1:]) <= {2}


def test_tables_have_captions_and_scopes_and_can_be_scrolled_by_keyboard(document: Document) -> None:
    assert len(document.all("caption")) == len(document.all("table"))
    assert all(text.strip() for text in document.texts.get("caption", []))
    assert all(attributes.get("scope") in ("row", "col") for attributes in document.all("th"))
    for attributes in document.all("div"):
        if attributes.get("class") == "scroll":
            assert (
                attributes["tabindex"] == "0" and attributes["role"] == "region" and attributes["aria-label"]
            )


def test_names_are_given_once_and_references_lead_somewhere(document: Document) -> None:
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [
        attributes["aria-labelledby"]
        for _, attributes in document.elements
        if "aria-labelledby" in attributes
    ]
    assert {name for names in named for name in names.split()} <= set(ids)
    inside = {a["href"][1:] for a in document.all("a") if a["href"].startswith("#")}
    assert inside <= set(ids)


def test_every_link_and_list_of_links_has_a_name(document: Document) -> None:
    assert all(text.strip() for text in document.texts["a"])
    assert all(attributes.get("aria-label") for attributes in document.all("nav"))


def test_nothing_is_loaded_but_the_style_sheet_and_nothing_runs(document: Document) -> None:
    assert document.all("link") == [
        {"rel": "icon", "href": "data:,"},
        {"rel": "stylesheet", "href": "/style.css"},
    ]
    assert not any(document.all(tag) for tag in ("script", "iframe", "img", "object", "form", "style"))
    assert not any(
        name.startswith("on") or name == "style" for _, attributes in document.elements for name in attributes
    )


def test_drawings_are_described(document: Document) -> None:
    for drawing in document.all("svg"):
        assert drawing["role"] == "img" and len(drawing["aria-labelledby"].split()) == 2


def test_the_chart_says_in_words_what_it_shows() -> None:
    text = str(drift_chart(SERIES, [RUN]))
    assert "Concept drift: 4 verdicts, 1 of them drift, the highest 1.80 times its threshold." in text
    assert "1 runs began and 1 releases were promoted." in text
    assert text.count("<svg") == 3 and text.count("threshold</text>") == 3


def test_runs_stand_where_the_data_stood_when_they_began() -> None:
    found = markers(SERIES, [RUN, WAITING])
    assert [(marker.style, marker.at) for marker in found] == [
        ("began", DATA + 3 * DAY),
        ("promoted", DATA + 4 * DAY),
    ]


def test_a_run_from_before_the_first_verdict_is_not_marked() -> None:
    assert markers(SERIES, [replace(RUN, started=NOW - 9, finished=NOW - 5)]) == ()


@pytest.mark.parametrize(
    "facts",
    [
        {"score": None},
        {"score": "high"},
        {"score": True},
        {"threshold": 0},
        {"threshold": None},
        {"threshold": -1.0},
    ],
)
def test_a_verdict_without_a_number_is_left_out_of_the_chart(facts: dict[str, Any]) -> None:
    assert scored((verdict(1, 0.5, facts=facts),)) == ()
    assert drift_chart((verdict(1, 0.5, facts=facts),), [RUN]) == ""


def test_verdicts_without_a_time_of_data_do_not_stretch_the_chart_of_those_with_one() -> None:
    alone = verdict(9, 0.5, data_time=None)
    assert scored((*SERIES, alone)) == SERIES
    assert points(scored((alone,)), Kind.CONCEPT_DRIFT)[0].at == alone.received


def test_the_chart_stays_inside_its_frame_whatever_the_scores_are() -> None:
    text = str(drift_chart((verdict(1, 1e300), verdict(2, 0.0), verdict(3, 0.5)), ()))
    heights = [float(height) for height in re.findall(r'cy="([^"]+)"', text)]
    assert all(0 <= height <= 250 for height in heights)
    assert f">{HIGHEST:g}</text>" in text and "1e+300" not in re.sub(r"<(title|desc).*?</\1>", "", text)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours() -> dict[str, dict[str, str]]:
    """The style sheet's colours by scheme."""
    blocks = re.findall(r":root \{(.*?)\}", page.style(), re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [(text, ground) for text in ("ink", "muted", "new", "good", "bad") for ground in ("paper", "panel")]
    + [
        ("good", "good-soft"),
        ("bad", "bad-soft"),
        ("new", "new-soft"),
        ("calm", "calm-soft"),
        ("previous", "paper"),
    ],
)
def test_text_stands_out_from_its_ground(scheme: str, text: str, ground: str) -> None:
    found = colours()[scheme]
    assert contrast(found[text], found[ground]) >= 4.5


def test_colours_are_those_of_the_report() -> None:
    report = (Path(__file__).parents[3] / "pipelines" / "report" / "style.css").read_text(encoding="utf-8")
    for name, colour in colours()["dark"].items():
        assert f"--{name}: {colour}" in report or name == "new-soft"
