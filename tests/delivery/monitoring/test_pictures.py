"""The drawing of dashboards: what is asked over a real connection is drawn, gaps stay gaps, and axes speak in short."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree

import pytest

from tools.monitoring import pictures
from tools.monitoring.asking import AskingFailed, Series, Stretch, asked, named
from tools.monitoring.panels import DASHBOARDS
from tools.monitoring.shape import Panel, Query

STRETCH = Stretch(0.0, 60.0, 10.0, "10s")


class Answering(BaseHTTPRequestHandler):
    """Answers every question with one series that has a gap, except what begins with an x."""

    def do_GET(self) -> None:
        [question] = parse_qs(urlparse(self.path).query)["query"]
        wrong = question.startswith("x")
        values = [[0, "1"], [10, "2"], [40, "3"], [50, "NaN"]]
        content = (
            b"no such thing"
            if wrong
            else json.dumps({"data": {"result": [{"metric": {"code": question}, "values": values}]}}).encode()
        )
        self.send_response(400 if wrong else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_gap_breaks_the_line(address: str) -> None:
    [line] = asked(address, Query("rate(a[$__rate_interval])", "{{code}}"), STRETCH)
    assert line.name == "rate(a[10s])"
    assert [moment for moment, value in line.points if not math.isnan(value)] == [0, 10, 40]
    assert len(line.points) == 5


def test_a_question_that_prometheus_does_not_take_is_named_with_its_answer(address: str) -> None:
    with pytest.raises(AskingFailed, match="x: no such thing"):
        asked(address, Query("x", ""), STRETCH)


def test_where_nobody_answers_it_says_what_to_start() -> None:
    with pytest.raises(AskingFailed, match="start a Prometheus there"):
        asked("http://127.0.0.1:1", Query("up", ""), STRETCH)


def test_every_dashboard_is_drawn_as_a_file_that_parses(address: str, tmp_path: Path) -> None:
    given = [address, "--start", "0", "--end", "60", "--output", str(tmp_path), "--subtitle", "one & two"]
    assert pictures.main(given) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"dashboard-{each.name}.svg" for each in DASHBOARDS}
    for path in tmp_path.iterdir():
        drawn = ElementTree.parse(path).getroot()
        assert "one & two" in [element.text for element in drawn.iter()]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.005, "percentunit", "0.5 %"),
        (20.0, "reqps", "20/s"),
        (0.05, "s", "50 ms"),
        (90.0, "s", "90 s"),
        (7200.0, "s", "2 h"),
        (0.0, "s", "0"),
        (25_000.0, "short", "25 k"),
    ],
)
def test_an_axis_speaks_in_short(value: float, unit: str, text: str) -> None:
    assert pictures.said(value, unit) == text


def test_a_limit_is_shown_only_where_the_lines_come_near_it() -> None:
    panel = Panel("t", "s", "s", (), limit=100.0)
    assert pictures.highest(panel, [Series("a", ((0.0, 30.0),))]) == 100.0
    assert pictures.highest(panel, [Series("a", ((0.0, 10.0), (1.0, math.nan)))]) == 10.0


def test_states_are_drawn_from_when_to_when_they_held() -> None:
    points = ((0.0, 1.0), (10.0, 1.0), (20.0, 0.0), (50.0, 2.0))
    assert pictures.stretches(Series("a", points), 10.0) == [(0.0, 10.0), (50.0, 50.0)]


def test_a_legend_takes_the_values_of_labels() -> None:
    assert named("{{a}} of {{b}}", {"a": "x"}) == "x of"
    assert named("{{a}}", {}) == "–"
