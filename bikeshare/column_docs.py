"""The table of columns as Markdown, for `docs/data.md`; a test compares the two. `python -m bikeshare.column_docs` prints it."""

from __future__ import annotations

from bikeshare.columns import COLUMNS
from pedalflow.columns import Column


def markdown_table() -> str:
    """One line a column, in the table's order."""
    head = ["| column | kind | unit | range | role | meaning |", "|---|---|---|---|---|---|"]
    return "\n".join(head + [_line(column) for column in COLUMNS]) + "\n"


def _line(column: Column) -> str:
    cells = (
        f"`{column.name}`",
        column.kind.value,
        column.unit,
        _range(column),
        column.role.value,
        column.description,
    )
    return f"| {' | '.join(cells)} |"


def _range(column: Column) -> str:
    if column.high is None:
        return f"from {column.low}"
    return (
        f"{column.low:g} to {column.high:g}"
        if not isinstance(column.low, str)
        else f"{column.low} to {column.high}"
    )


if __name__ == "__main__":
    print(markdown_table(), end="")
