"""The window of a run: the spans it trains on and the days it is judged on, resolved before the run starts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pedalflow.errors import DataMissing, SettingsError
from pedalflow.spans import Span, SpanState


@dataclass(frozen=True)
class Window:
    """Spans by number; the evaluation days, both included; a sha256 over the spans' numbers and hashes."""

    spans: tuple[Span, ...]
    evaluation_first: date
    evaluation_last: date
    fingerprint: str


def window(
    spans: Sequence[Span], until_span: int, evaluation_days: int, *, without_files: bool = False
) -> Window:
    """Spans 1 to `until_span`, of which the last `evaluation_days` days are the evaluation set.

    Raises DataMissing where one of them has not arrived or its file is not as recorded, SettingsError where no day to train on or
    none to evaluate on would be left. With `without_files` the pointers are enough: whoever trains has the files elsewhere.
    """
    by_number = {span.number: span for span in spans}
    absent = [number for number in range(1, until_span + 1) if number not in by_number]
    if absent:
        raise DataMissing(
            f"span {absent[0]} has not arrived; `pedalflow data prepare --until-span {until_span}` brings it in"
        )
    if until_span < 1:
        raise SettingsError(f"until_span is {until_span}; spans count from 1")
    chosen = tuple(by_number[number] for number in range(1, until_span + 1))
    usable = (SpanState.PRESENT, SpanState.MISSING) if without_files else (SpanState.PRESENT,)
    for span in chosen:
        if span.state not in usable:
            raise DataMissing(
                f"the file of span {span.number} is {span.state.value}: {span.path}; `pedalflow data prepare` restores it"
            )
    last = date.fromisoformat(chosen[-1].last)
    first = last - timedelta(days=evaluation_days - 1)
    if evaluation_days < 1 or first <= date.fromisoformat(chosen[-1].first):
        raise SettingsError(
            f"evaluation_days is {evaluation_days}; it has to be at least 1 and less than the days of span {until_span} "
            f"({chosen[-1].first} to {chosen[-1].last})"
        )
    return Window(chosen, first, last, fingerprint(chosen))


def fingerprint(spans: Sequence[Span]) -> str:
    """A sha256 over the spans' numbers and hashes: which data this is."""
    text = "\n".join(f"{span.number} {span.md5}" for span in spans)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
