"""Puts pictures, tables and sentences into a notebook, each with words that stand for it, and always as the same bytes."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import pandas as pd
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from PIL import Image

DPI, SHOWN_WIDTH, COLOURS = 110, 860, 256
MISSING = "–"


def picture(figure: Figure, caption: str) -> None:
    """Show the figure; `caption` stands below it, and for it where it cannot be seen."""
    content = {"image/png": base64.b64encode(png(figure)).decode(), "text/plain": caption}
    display(content, metadata={"image/png": {"alt": caption, "width": SHOWN_WIDTH}}, raw=True)
    display(Markdown(f"*{caption}*"))


def png(figure: Figure) -> bytes:
    """The figure as a small PNG that is the same for the same figure."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    image = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    image.save(small, format="PNG", optimize=True)
    return small.getvalue()


def table(frame: pd.DataFrame, caption: str, digits: int = 1) -> None:
    """Show the frame's columns, without its index; numbers to the right with `digits` places, what is missing as a dash."""
    display({"text/html": as_html(frame, caption, digits), "text/plain": caption}, raw=True)


def as_html(frame: pd.DataFrame, caption: str, digits: int = 1) -> str:
    """The table as plain HTML."""
    right = {name: pd.api.types.is_numeric_dtype(frame[name]) for name in frame}
    head = "".join(_cell("th", str(name), right[name]) for name in frame)
    rows = [
        "".join(_cell("td", said(value, digits), right[name]) for name, value in row.items())
        for row in frame.to_dict("records")
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        '<table>\n<caption style="text-align:left;white-space:nowrap;padding-bottom:6px">'
        f"{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _cell(tag: str, text: str, right: bool) -> str:
    side = "right" if right else "left"
    return f'<{tag} style="text-align:{side};vertical-align:top">{html.escape(text)}</{tag}>'


def said(value: Any, digits: int = 1) -> str:
    """One value as people read it."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M" if value.hour else "%Y-%m-%d")
    return str(value)


def sentence(text: str) -> None:
    """Say something that was found out, in Markdown."""
    display(Markdown(text))
