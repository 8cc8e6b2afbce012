"""What is known of one column of a data set; a use case holds a table of them, and everything else is derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """How a column's values are written and stored."""

    DATE = "date"  # text, YYYY-MM-DD
    INTEGER = "integer"  # stored as int64
    NUMBER = "number"  # stored as float32


class Role(str, Enum):
    """What a column may be used for."""

    FEATURE = "feature"  # the model's graph takes it, a request carries it
    LABEL = "label"  # what the model predicts
    LEAK = "leak"  # gives the label away: never a feature
    DERIVED = "derived"  # follows from other columns: kept in the data, not a feature


@dataclass(frozen=True)
class Column:
    """One column: `low` and `high` bound its values (both included, in `unit`); `None` leaves that side open."""

    name: str
    kind: Kind
    role: Role
    unit: str
    description: str
    low: float | str | None = None
    high: float | str | None = None


def with_role(columns: tuple[Column, ...], role: Role) -> tuple[Column, ...]:
    """The columns of one role, in table order."""
    return tuple(column for column in columns if column.role is role)
