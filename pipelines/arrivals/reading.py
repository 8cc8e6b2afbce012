"""From the bytes of an arriving file to a frame of text: everything that can be wrong before a single value is looked at."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

import pandas as pd

from pipelines.arrivals.intake import too_large
from pipelines.arrivals.violations import EXAMPLES_PER_RULE, Broken, broken

# A span of hours has a few thousand lines of about 60 bytes; what is longer is another file, and would only fill the memory.
MOST_LINES = 1_000_000
MOST_BYTES_IN_A_LINE = 4096
# All but TAB, and LF and CR where they end a line. Readers of CSV disagree about each of them.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\Z)")


def check_text(content: bytes) -> tuple[Broken, ...]:
    """Is it whole UTF-8 text in lines of a sane length? `content` is not empty unless the file was."""
    if not content or content.isspace():
        return (broken("file_empty", "the file holds no line; send it again"),)
    return _check_size(content) or _check_utf8(content) or _check_characters(content) or _check_end(content)


def _check_size(content: bytes) -> tuple[Broken, ...]:
    for row, line in enumerate(io.BytesIO(content), start=1):
        if row > MOST_LINES:
            return (too_large(f"the file has more than {MOST_LINES:,} lines"),)
        if len(line) > MOST_BYTES_IN_A_LINE:
            hint = f"a line has at most {MOST_BYTES_IN_A_LINE} bytes; write one hour a line"
            return (broken("line_too_long", hint, None, [row], [line.decode("utf-8", "replace")]),)
    return ()


def _check_utf8(content: bytes) -> tuple[Broken, ...]:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        bad = content[error.start : error.start + 1].hex()
        hint = "the file has to be UTF-8 text; write it as CSV in UTF-8"
        return (broken("not_utf8", hint, None, [row], [f"byte 0x{bad}"]),)
    return ()


def _check_characters(content: bytes) -> tuple[Broken, ...]:
    found = [
        (row, f"character U+{ord(match.group()):04X}")
        for row, line in enumerate(content.decode("utf-8").split("\n"), start=1)
        if (match := _CONTROL_CHARACTER.search(line))
    ]
    if not found:
        return ()
    rows, values = zip(*found, strict=True)
    hint = "a CSV holds no control characters, and CR only at the end of a line; write it as plain text"
    return (broken("control_character", hint, None, rows, values),)


def _check_end(content: bytes) -> tuple[Broken, ...]:
    if content.endswith(b"\n"):
        return ()
    lines = lines_of(content)
    hint = "the last line has no line end, so the file may not be complete; send it again when it is fully written"
    return (broken("partly_written", hint, None, [len(lines)], [lines[-1]]),)


def check_header(header: Sequence[str], expected: Sequence[str]) -> tuple[Broken, ...]:
    """Are the columns those of the table, once each and in its order?"""
    found: list[Broken] = []
    counts = Counter(header)
    for name in expected:
        if name not in counts:
            found.append(
                broken("column_missing", f"the header has to hold {','.join(expected)}", name, [1], [None])
            )
    for name, count in counts.items():
        if name not in expected:
            found.append(broken("column_unknown", _unknown_hint(name, expected), name, [1], [name]))
        elif count > 1:
            found.append(
                broken("column_duplicate", f"the header names it {count} times; keep one", name, [1], [name])
            )
    if not found and list(header) != list(expected):
        wrong = next(name for name, right in zip(header, expected, strict=True) if name != right)
        found.append(broken("column_order", f"the order has to be {','.join(expected)}", wrong, [1], [wrong]))
    return tuple(found)


def _unknown_hint(name: str, expected: Sequence[str]) -> str:
    close = get_close_matches(name.strip('" ').lower(), expected, 1)
    return f"no such column; is {close[0]} meant?" if close else "no such column; leave it out"


def check_fields(lines: Sequence[str], fields: int) -> tuple[Broken, ...]:
    """Has every line as many fields as the header? A short last line means that the writer has not finished."""
    commas = [line.count(",") + 1 if line else 0 for line in lines]
    wrong = [row for row, count in enumerate(commas, start=1) if count != fields]
    if not wrong:
        return ()
    values = [lines[row - 1] for row in wrong[:EXAMPLES_PER_RULE]]
    if wrong == [len(lines)] and commas[-1] < fields:
        hint = f"the last line stops after {commas[-1]} of {fields} fields; send the file again when it is fully written"
        return (broken("partly_written", hint, None, wrong, values),)
    return (
        broken("field_count", f"every line has to have {fields} fields, without quotes", None, wrong, values),
    )


def read_frame(content: bytes) -> pd.DataFrame:
    """All values as text, the index being the line in the file (the first row of data is line 2)."""
    frame = pd.read_csv(
        io.BytesIO(content),
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        quoting=3,
        encoding="utf-8",
    )
    frame.index = pd.RangeIndex(2, 2 + len(frame))
    return frame


def lines_of(content: bytes) -> list[str]:
    """The lines, without their line ends (LF or CRLF), header first."""
    return content.decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n") if content.strip() else []
