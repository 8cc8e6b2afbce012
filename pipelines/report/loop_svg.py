"""The picture of the loop as a file of its own: with a title, its own ground and fixed colours, for a page that has no style sheet."""

from __future__ import annotations

import re
from textwrap import wrap
from xml.etree import ElementTree

from pedalflow import svg
from pedalflow.loop_record import LoopRecord
from pedalflow.loop_table import apart_from_staged, retrainings
from pedalflow.svg import Element
from pipelines.report.loop_picture import heading, picture
from pipelines.report.loop_story import Story, story_of
from pipelines.report.resource import resource
from pipelines.report.wording import compared_errors, days, figure

WIDTH, MARGIN, HEADING = 900, 28.0, 78.0
LINE, COLUMNS, LETTERS = 17.0, 2, 60
SPACE = "http://www.w3.org/2000/svg"
FONT = "12px/1 system-ui, -apple-system, 'Segoe UI', Roboto, Arial, 'DejaVu Sans', sans-serif"


def standalone(record: LoopRecord, unit: str = "") -> str:
    """The file's text. What the numbers mean stands below the picture, in the order of the year."""
    story = story_of(record)
    inner = picture(story, WIDTH - round(2 * MARGIN), "loop")
    height = float(inner.attrib["viewBox"].split()[3])
    legend = _legend(story)
    rows = -(-len(legend) // COLUMNS)
    whole = HEADING + height + 20 + rows * LINE + MARGIN
    root = svg.canvas(WIDTH, whole, "loop-file", title(record), inner.findtext("desc") or "")
    root.attrib.update({"xmlns": SPACE, "width": str(WIDTH), "height": svg.number(whole)})
    svg.add(root, "style", f"text {{ font: {FONT}; }}\n{colours_resolved(resource('charts.css'))}")
    svg.add(root, "rect", x=0.5, y=0.5, width=WIDTH - 1.0, height=whole - 1, rx=8, class_="ground")
    svg.add(root, "text", title(record), x=MARGIN, y=34, class_="title")
    svg.add(root, "text", subtitle(record, unit), x=MARGIN, y=56, class_="subtitle")
    if apart := apart_from_staged(record):
        svg.add(root, "text", apart, x=MARGIN, y=74, class_="subtitle")
    _place(root, inner, MARGIN, HEADING + 8)
    for index, text in enumerate(legend):
        column, row = divmod(index, rows)
        x, y = MARGIN + column * (WIDTH - 2 * MARGIN) / COLUMNS, HEADING + height + 34 + row * LINE
        svg.add(root, "text", str(index + 1), x=x + 14, y=y, class_="legend number end")
        svg.add(root, "text", text, x=x + 22, y=y, class_="legend")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def title(record: LoopRecord) -> str:
    """What one sees."""
    share = compared_errors(record.rmse, record.rmse_without)
    return f"{days(record.first_day, record.last_day)}, replayed: {share} with retraining"


def subtitle(record: LoopRecord, unit: str) -> str:
    """The figures behind the title."""
    return (
        f"RMSE of the last {record.rolling_days} days{f', {unit}' if unit else ''}. Over all hours {figure(record.rmse)} with "
        f"retraining, {figure(record.rmse_without)} without; {retrainings(record)}."
    )


def _legend(story: Story) -> list[str]:
    """A line for each chapter, cut where it would not fit its column."""
    lines = (heading(story, chapter) for chapter in story.chapters)
    return [wrap(line, LETTERS, max_lines=1, placeholder=" …")[0] for line in lines]


def _place(root: Element, inner: Element, x: float, y: float) -> None:
    """Put a drawing into another; its title and description are the outer one's."""
    group = svg.add(root, "g", transform=f"translate({svg.number(x)} {svg.number(y)})")
    group.extend(child for child in inner if child.tag not in ("title", "desc"))


def colours_resolved(rules: str) -> str:
    """Rules with the light colours of the page in place of their names: not everything that shows a picture knows variables."""
    light = re.search(r":root \{(.*?)\}", resource("style.css"), re.DOTALL)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6});", light.group(1) if light else ""))
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda name: colours[name.group(1)], rules)
