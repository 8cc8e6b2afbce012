"""The page says what happened, holds everything it needs, and trusts no text that it shows."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from pedalflow.run_record import GateResult, RunRecord
from pipelines.report.html import render
from tests.samples.real_loop import real_loop
from tests.samples.run_record import Run, first_run, refused_run, tiny_predictions, tiny_record

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&"
SECTIONS = ("comparison", "error", "gates", "data", "timings", "lineage", "settings")
VOID = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """What the tests ask of a page: its tags with their attributes, its ids, its words, and whether every tag
    is closed.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def tiny() -> Run:
    return tiny_record(), tiny_predictions()


def page(*runs: Run, **settings: str) -> Page:
    return Page(render(list(runs), **settings))


def test_the_verdict_stands_first() -> None:
    text = page(tiny()).text

    assert (
        "Release r-0002 was promoted: 20 % lower error than the model it replaces on 30–31 January 2012."
        in text
    )
    assert (
        text.index("was promoted") < text.index("On the same newest data") < text.index("Where the error is")
    )


@pytest.mark.parametrize(
    "run", [tiny(), first_run(tiny()), refused_run(tiny())], ids=["promoted", "first", "refused"]
)
def test_every_kind_of_run_gives_a_well_formed_page_with_all_sections(run: Run) -> None:
    result = page(run)

    assert result.open == []
    assert set(SECTIONS) <= set(result.ids())
    assert len(result.ids()) == len(set(result.ids()))


def test_a_first_run_says_that_there_was_no_previous_model() -> None:
    text = page(first_run(tiny())).text

    assert "the first model, with 38 % lower error than the naive mean" in text
    assert "no model was in service when this run started" in text
    assert "Error against the previous model" not in text


def test_a_refused_run_names_rule_slice_value_and_what_stays() -> None:
    text = page(refused_run(tiny())).text

    expected = (
        "“no worse than the champion” failed on weather=rain with 0.340 (limit 0.1 relative); "
        "release r-0001 stays in service."
    )
    assert expected in text
    assert text.index("✗ failed") < text.index("✓ passed"), "failed decisions come first"


def test_a_run_without_anything_optional_still_reads_well() -> None:
    record = replace(
        tiny_record(),
        slices=(),
        gates=(),
        statistics=(),
        anomalies=(),
        timings=(),
        spans=(),
        params={},
        environment={},
    )
    result = page((record, tiny_predictions().iloc[:0]))

    assert result.open == []
    for sentence in (
        "no predictions",
        "No rule was asked",
        "No anomalies",
        "no statistics",
        "no timings",
        "None were recorded",
    ):
        assert sentence in result.text


def test_missing_hours_and_a_single_hour_are_drawn() -> None:
    predictions = tiny_predictions()

    assert page((tiny_record(), predictions.drop(index=[3, 4, 30]))).open == []
    assert page((tiny_record(), predictions.iloc[:1])).open == []


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": HOSTILE},
        {"run_id": HOSTILE, "release_id": HOSTILE, "champion_release": HOSTILE, "commit": HOSTILE},
        {"gates": (GateResult(HOSTILE, HOSTILE, 1.0, 0.5, HOSTILE, False, HOSTILE),)},
        {
            "statistics": tuple(
                replace(part, name=HOSTILE, split=HOSTILE) for part in tiny_record().statistics
            )
        },
        {"slices": tuple(replace(part, feature=HOSTILE, value=HOSTILE) for part in tiny_record().slices)},
        {
            "anomalies": tuple(
                replace(part, feature=HOSTILE, short=HOSTILE, long=HOSTILE)
                for part in tiny_record().anomalies
            )
        },
        {"timings": tuple(replace(part, node=HOSTILE) for part in tiny_record().timings)},
        {"params": {HOSTILE: {HOSTILE: HOSTILE}}, "environment": {HOSTILE: HOSTILE}},
        {"growth": replace(tiny_record().growth, reason=HOSTILE)},
    ],
    ids=lambda change: "-".join(change),
)
def test_no_text_of_a_record_becomes_markup(change: dict[str, object]) -> None:
    record: RunRecord = replace(tiny_record(), **change)  # type: ignore[arg-type]  # the table above pairs fields with their types
    text = render([(record, tiny_predictions())], heading=HOSTILE, unit=HOSTILE)
    result = Page(text)

    assert result.named("script") == [] and result.named("img") == []
    assert result.open == []
    assert HOSTILE in result.text


def test_the_page_needs_nothing_from_outside() -> None:
    text = render([tiny()])
    result = Page(text)

    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in result.tags}
    assert all((link["href"] or "").startswith("#") for link in result.named("a"))
    assert "url(" not in text and "@import" not in text and "http://" not in text and "https://" not in text
    policy = [
        meta["content"]
        for meta in result.named("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_links_inside_the_page_lead_somewhere() -> None:
    result = page(tiny(), first_run(tiny()))

    assert {(link["href"] or "")[1:] for link in result.named("a")} <= set(result.ids())


def test_every_drawing_is_described_and_every_table_captioned() -> None:
    result = page(tiny(), refused_run(tiny()))
    drawings = result.named("svg")

    assert drawings
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert set((drawing["aria-labelledby"] or "").split()) <= set(result.ids())
    assert len(result.named("caption")) == len(result.named("table"))
    assert all("scope" in heading for heading in result.named("th"))


def test_many_passing_decisions_are_folded_and_failed_ones_are_not() -> None:
    passing = tuple(GateResult("skill", f"hr={hour}", 0.5, 0.9, "", True, "") for hour in range(24))
    failing = GateResult("absolute", "overall", 120.0, 100.0, "", False, "too much")
    record = replace(tiny_record(), gates=(*passing, failing), outcome="refused")

    text = render([(record, tiny_predictions())])
    before, _, folded = text.partition("All 24 decisions that passed")

    assert "too much" in before and "hr=17" not in before
    assert "hr=17" in folded


def test_the_newest_run_is_on_top_whatever_the_order() -> None:
    newest = tiny()
    older = first_run(
        (
            replace(
                tiny_record(), run_id="run-0001", started="2025-01-01T00:00:00+00:00", release_id="r-0001"
            ),
            newest[1],
        )
    )

    assert render([older, newest]) == render([newest, older])
    text = page(older, newest).text
    assert (
        text.index("Release r-0002 was promoted")
        < text.index("Earlier runs")
        < text.index("Release r-0001 was promoted")
    )


def test_a_cached_node_is_marked() -> None:
    assert page(tiny()).text.count("from cache") == 1


def test_without_a_run_there_is_no_page() -> None:
    with pytest.raises(ValueError, match="no run to report on"):
        render([])


def test_two_real_runs_stay_under_a_megabyte_three_seconds_and_the_same_bytes() -> None:
    runs = real_loop()[:2]

    start = time.process_time()
    first = render(runs, unit="rentals an hour")
    spent = time.process_time() - start

    assert first == render(runs, unit="rentals an hour")
    assert len(first.encode()) < 1_000_000
    assert spent < 3.0
    assert Page(first).open == []


def test_predictions_are_not_changed_by_drawing_them() -> None:
    predictions = tiny_predictions()
    render([(tiny_record(), predictions)])

    pd.testing.assert_frame_equal(predictions, tiny_predictions())
