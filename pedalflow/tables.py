"""Plain-text tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "").replace("−", "-").rstrip("%×"))
    except ValueError:
        return False
    return True


def table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    """`rows` below `headers`, two spaces between columns; a column that holds numbers and blanks only stands to the right.

    A cell of None or "" is shown as "-". Raises ValueError if a row has not as many cells as there are headers.
    """
    cells = [["-" if cell is None or cell == "" else str(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(headers):
            raise ValueError(f"a row of {len(row)} cells does not fit {len(headers)} headers: {row}")
    columns = list(zip(*cells)) if cells else [() for _ in headers]
    right = [bool(column) and all(cell == "-" or _is_number(cell) for cell in column) for column in columns]
    widths = [max(len(text) for text in (header, *column)) for header, column in zip(headers, columns)]

    def line(texts: Sequence[str]) -> str:
        placed = (text.rjust(w) if r else text.ljust(w) for text, w, r in zip(texts, widths, right))
        return "  ".join(placed).rstrip()

    return "\n".join([line(headers), line(["-" * width for width in widths]), *(line(row) for row in cells)])
