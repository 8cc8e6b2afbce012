"""What is wrong with an arriving batch, in a shape that machines and people can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pedalflow.errors import DataRefused

EXAMPLES_PER_RULE = 20
LONGEST_SHOWN = 80  # characters of a value or a name in a report


def cut(text: str) -> str:
    """At most 80 characters of `text`, the last of them an ellipsis where something is left out."""
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def escaped(text: str) -> str:
    """`text` as it may be printed: what a terminal would obey or hide is written as in Python, for example `\\x1b`."""
    return repr(text)[1:-1]


@dataclass(frozen=True)
class Violation:
    """One broken rule at one place. `row` is the line in the file, the header being line 1; None where a rule has no place."""

    rule: str
    row: int | None
    column: str | None
    value: str | None
    hint: str

    def sentence(self) -> str:
        """For example `row 5, column hr, value '24': rule range. hr has to lie between 0 and 23`."""
        places = [
            f"row {self.row}" if self.row is not None else "",
            f"column {escaped(self.column)}" if self.column is not None else "",
            f"value {self.value!r}" if self.value is not None else "",
        ]
        where = ", ".join(place for place in places if place)
        return f"{where + ': ' if where else ''}rule {self.rule}. {self.hint}"


@dataclass(frozen=True)
class Broken:
    """One rule that is broken, in one column: how often, and its first places (at most 20)."""

    rule: str
    column: str | None
    count: int
    violations: tuple[Violation, ...]


def broken(
    rule: str,
    hint: str,
    column: str | None = None,
    rows: Sequence[int] | None = None,
    values: Sequence[object] | None = None,
) -> Broken:
    """A broken rule at `rows` with the `values` found there; without rows, of the file as a whole.

    Names and values come from the file, so they are cut to 80 characters here and escaped where they are printed.
    """
    column = None if column is None else cut(column)
    if rows is None:
        value = None if not values else cut(str(values[0]))
        return Broken(rule, column, 1, (Violation(rule, None, column, value, hint),))
    shown = zip(rows[:EXAMPLES_PER_RULE], values or [None] * len(rows), strict=False)
    places = tuple(
        Violation(rule, int(row), column, None if value is None else cut(str(value)), hint)
        for row, value in shown
    )
    return Broken(rule, column, len(rows), places)


@dataclass(frozen=True)
class BatchReport:
    """Everything that is wrong with one file.

    `file` is its name, cut and escaped. `sha256` is that of the bytes that quarantine keeps: all of them, except of a file that is
    `too_large`.
    """

    file: str
    sha256: str
    arrived: str
    broken: tuple[Broken, ...]

    def to_dict(self) -> dict[str, object]:
        """The content of `report.json`."""
        return asdict(self)

    def to_text(self) -> str:
        """The content of `report.txt`."""
        head = [
            f"Refused: {self.file}",
            f"arrived: {self.arrived} (UTC)",
            f"sha256:  {self.sha256}",
            "Nothing was added to the data. Rows are lines of the file; its header is row 1.",
        ]
        return "\n".join(head + [line for item in self.broken for line in _lines(item)]) + "\n"

    def summary(self) -> str:
        """The first violation and how many more there are, for an error message."""
        others = sum(item.count for item in self.broken) - 1
        first = self.broken[0].violations[0].sentence()
        return first if others == 0 else f"{first} (and {others} more)"


def _lines(item: Broken) -> Iterable[str]:
    place = f" in column {escaped(item.column)}" if item.column else ""
    yield ""
    yield f"{item.rule}{place}: {item.count} time{'' if item.count == 1 else 's'}. {item.violations[0].hint}"
    for violation in item.violations:
        if violation.row is not None:
            yield f"  row {violation.row}: {violation.value!r}"
    if item.count > len(item.violations):
        yield f"  and {item.count - len(item.violations)} more"


class BatchRefused(DataRefused):
    """A batch broke at least one rule. `quarantined` is its folder; None where the batch is in the store already."""

    def __init__(self, report: BatchReport, quarantined: Path | None) -> None:
        self.report = report
        self.quarantined = quarantined
        where = (
            f"; the file and the whole report are in {quarantined}"
            if quarantined
            else "; nothing was changed"
        )
        super().__init__(f"{report.file} was refused: {report.summary()}{where}")
