"""A rule over whole rows that a use case adds to the checks of an arriving batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RowRule:
    """A rule that needs more than one value or column to be judged.

    `breaks` takes the frame of typed columns (pandas; one row an hour) and returns a boolean mask: True where a row breaks the
    rule. It is vectorised and pure. `column` is the one whose value is reported. With `explains_range` a broken rule says why
    the column left its range, so the range itself is not reported again. `needs` names the columns it looks at that a batch of features
    and label alone does not have; without `column` and these the rule says nothing.
    """

    name: str
    column: str
    hint: str
    breaks: Callable[[Any], Any]
    explains_range: bool = False
    needs: tuple[str, ...] = ()
