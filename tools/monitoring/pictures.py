"""Draws the dashboards from what a real Prometheus has measured: `python -m tools.monitoring.pictures ADDRESS --start S --end S`.

Each panel asks the very queries that Grafana would ask. The drawing is ours, made for the docs; Grafana's looks different.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from pedalflow import svg
from pedalflow.svg import Element, Scale
from tools.monitoring.asking import AskingFailed, Series, Stretch, asked
from tools.monitoring.panels import DASHBOARDS
from tools.monitoring.plain import ROOT
from tools.monitoring.shape import Dashboard, Panel

FOLDER = ROOT / "docs" / "images"
SPACE = "http://www.w3.org/2000/svg"
COLOURS = (
    "#3366cc",
    "#e07b00",
    "#1b8a5a",
    "#b5338a",
    "#7a5cc9",
    "#8a6d3b",
    "#00889c",
    "#c0392b",
    "#5f6b7a",
    "#9aa800",
)
WIDTH, MARGIN, HEAD = 1000.0, 20.0, 74.0
PANEL_WIDTH, PANEL_HEIGHT, GAP = 470.0, 210.0, 20.0
LEFT, TOP, BOTTOM = 52.0, 46.0, 48.0  # of a chart in its panel
LINE = 15.0
MOST_NAMES, MOST_LETTERS, LETTER = 9, 30, 6.4
POINTS = 230
STYLE = """text { font: 11px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif; fill: #444b55; }
.head { font-size: 20px; font-weight: 600; fill: #1d2127; } .title { font-size: 13px; font-weight: 600; fill: #1d2127; }
.ground { fill: #f4f5f7; } .panel { fill: #ffffff; stroke: #d9dde3; } .grid { stroke: #e6e9ed; } .end { text-anchor: end; }
.limit { stroke: #c0392b; stroke-dasharray: 5 4; } .line { fill: none; stroke-width: 1.4; stroke-linejoin: round; }"""


def drawing(dashboard: Dashboard, lines: Sequence[Sequence[Series]], stretch: Stretch, subtitle: str) -> str:
    """The file's text; `lines` are the series of each panel."""
    shown = [(panel, found) for panel, found in zip(dashboard.panels, lines) if found]
    rows = -(-len(shown) // 2)
    height = HEAD + rows * (PANEL_HEIGHT + GAP)
    root = svg.canvas(WIDTH, height, dashboard.name, dashboard.title, subtitle)
    root.attrib.update({"xmlns": SPACE, "width": svg.number(WIDTH), "height": svg.number(height)})
    svg.add(root, "style", STYLE)
    svg.add(root, "rect", x=0.0, y=0.0, width=WIDTH, height=height, class_="ground")
    svg.add(root, "text", dashboard.title, x=MARGIN, y=34.0, class_="head")
    svg.add(root, "text", subtitle, x=MARGIN, y=56.0)
    for number, (panel, found) in enumerate(shown):
        row, column = divmod(number, 2)
        x, y = MARGIN + column * (PANEL_WIDTH + GAP), HEAD + row * (PANEL_HEIGHT + GAP)
        group = svg.add(root, "g", transform=f"translate({svg.number(x)} {svg.number(y)})")
        _panel(group, panel, found, stretch)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _panel(group: Element, panel: Panel, lines: Sequence[Series], stretch: Stretch) -> None:
    svg.add(group, "rect", x=0.0, y=0.0, width=PANEL_WIDTH, height=PANEL_HEIGHT, rx=4.0, class_="panel")
    svg.add(group, "text", panel.title, x=12.0, y=20.0, class_="title")
    svg.add(group, "text", panel.says, x=12.0, y=36.0)
    across = Scale(stretch.start, stretch.end, LEFT, PANEL_WIDTH - 12)
    _minutes(group, across, stretch)
    if panel.states:
        _bars(group, lines, across, stretch)
    else:
        _curves(group, panel, lines, across)


def _curves(group: Element, panel: Panel, lines: Sequence[Series], across: Scale) -> None:
    marks = svg.ticks(0.0, highest(panel, lines), 4)
    up = Scale(0.0, marks[-1], PANEL_HEIGHT - BOTTOM, TOP)
    _grid(group, panel.unit, marks, up)
    if panel.limit is not None and panel.limit <= marks[-1]:
        y = up(panel.limit)
        svg.add(group, "line", x1=LEFT, x2=PANEL_WIDTH - 12, y1=y, y2=y, class_="limit")
    for number, line in enumerate(lines):
        points = [(across(moment), up(value)) for moment, value in line.points]
        svg.add(group, "path", d=svg.path(points), class_="line", stroke=_colour(number))
    _names(group, [line.name for line in lines])


def highest(panel: Panel, lines: Sequence[Series]) -> float:
    """The top of a chart; a limit is in it only where the lines come near it."""
    top = max((value for line in lines for _, value in line.points if not math.isnan(value)), default=0.0)
    if panel.limit is not None and (top > panel.limit / 5 or not top):
        top = max(top, panel.limit)
    return top or 1.0


def _bars(group: Element, lines: Sequence[Series], across: Scale, stretch: Stretch) -> None:
    """A row for each series, its name above the bars."""
    height = (PANEL_HEIGHT - BOTTOM - TOP) / len(lines)
    for number, line in enumerate(lines):
        y = TOP + number * height
        svg.add(group, "text", line.name, x=LEFT, y=y + 11)
        for begun, ended in stretches(line, stretch.step):
            wide = max(across(ended) - across(begun), 1.5)
            svg.add(group, "rect", x=across(begun), y=y + 14, width=wide, height=5.0, fill=_colour(number))


def stretches(line: Series, step: float) -> list[tuple[float, float]]:
    """From when to when a series is above 0."""
    found: list[tuple[float, float]] = []
    for moment in (moment for moment, value in line.points if value > 0):
        if found and moment - found[-1][1] <= 1.5 * step:
            found[-1] = (found[-1][0], moment)
        else:
            found.append((moment, moment))
    return found


def _grid(group: Element, unit: str, marks: Sequence[float], up: Scale) -> None:
    for mark in marks:
        svg.add(group, "line", x1=LEFT, x2=PANEL_WIDTH - 12, y1=up(mark), y2=up(mark), class_="grid")
        svg.add(group, "text", said(mark, unit), x=LEFT - 6, y=up(mark) + 4, class_="end")


def _minutes(group: Element, across: Scale, stretch: Stretch) -> None:
    for minute in svg.ticks(0.0, (stretch.end - stretch.start) / 60, 8):
        x = across(stretch.start + 60 * minute)
        if x <= PANEL_WIDTH - 12:
            svg.add(group, "text", f"{minute:g} min", x=x, y=PANEL_HEIGHT - BOTTOM + 15, text_anchor="middle")


def _names(group: Element, names: Sequence[str]) -> None:
    """In two rows at most; what does not fit is left out."""
    x, y = 12.0, PANEL_HEIGHT - 20
    for number, name in enumerate(names[:MOST_NAMES]):
        short = name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
        wide = 22 + LETTER * len(short)
        if x + wide > PANEL_WIDTH - 12:
            x, y = 12.0, y + LINE
        if y > PANEL_HEIGHT - 4:
            return
        svg.add(group, "rect", x=x, y=y - 7, width=10.0, height=3.0, fill=_colour(number))
        svg.add(group, "text", short, x=x + 14, y=y - 2)
        x += wide


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def said(value: float, unit: str) -> str:
    """A number of an axis with its unit, short."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "reqps":
        return f"{value:g}/s"
    if unit != "s" or not value:
        return (
            f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e4 else f"{value:g}"
        )
    for size, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if value >= 2 * size or (value >= size and name == "s"):
            return f"{value / size:.3g} {name}"
    return f"{1000 * value:.3g} ms"


def _lines(address: str, panel: Panel, stretch: Stretch) -> list[Series]:
    return [series for query in panel.queries for series in asked(address, query, stretch)]


def main(arguments: Sequence[str]) -> int:
    """Ask and draw. Panels without an answer, such as those about a cluster, are left out and named."""
    given = _parser().parse_args(arguments)
    step = max((given.end - given.start) / POINTS, 1.0)
    stretch = Stretch(given.start, given.end, step, given.rate_interval)
    try:
        for dashboard in DASHBOARDS:
            lines = [_lines(given.address, panel, stretch) for panel in dashboard.panels]
            path = given.output / f"dashboard-{dashboard.name}.svg"
            path.write_text(drawing(dashboard, lines, stretch, given.subtitle), encoding="utf-8")
            empty = [panel.title for panel, found in zip(dashboard.panels, lines) if not found]
            print(f"drew {path}" + (f", without: {'; '.join(empty)}" if empty else ""))
    except AskingFailed as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.monitoring.pictures", description=__doc__)
    parser.add_argument("address", help="of the Prometheus, such as http://127.0.0.1:9090")
    parser.add_argument("--start", type=float, required=True, help="seconds since 1970")
    parser.add_argument("--end", type=float, required=True, help="seconds since 1970")
    parser.add_argument(
        "--rate-interval", default="10s", help="what stands for Grafana's $__rate_interval (10s)"
    )
    parser.add_argument("--subtitle", default="", help="a line below the title that says what was measured")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the pictures (docs/images)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
