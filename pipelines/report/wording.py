"""How the report says things: names of the models, numbers, dates, and the sentence at its top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pedalflow.run_record import GateResult, RunRecord, Score

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MISSING = "–"
SHORT_HASH = 10


@dataclass(frozen=True)
class Model:
    """One of the three models that a run compares. `column` is its column in `predictions.csv` and its field
    in the record.
    """

    column: str
    name: str
    label: str
    style: str


NEW = Model("candidate", "New model", "New", "new")
PREVIOUS = Model("champion", "Previous model", "Previous", "previous")
NAIVE = Model("naive", "Naive mean", "Naive", "naive")
MODELS = (NEW, PREVIOUS, NAIVE)


def score_of(record: RunRecord, model: Model) -> Score | None:
    """The overall score of one model; None for the previous model of a first run."""
    score: Score | None = getattr(record, model.column)
    return score


def figure(value: float | None, digits: int = 3) -> str:
    """A measured number for a reader: `digits` significant digits, thousands apart, an en dash where there is
    none.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    decimals = _decimals(value, digits)
    if decimals > 6:
        return minus(f"{value:.{digits - 1}e}")
    return minus(f"{value:,.{decimals}f}")


def _decimals(value: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def aligned(value: float, like: float) -> str:
    """`value` with as many decimals as `like` needs for three significant digits, so that a column of numbers
    lines up.
    """
    decimals = min(_decimals(like, 3), 6) if like else 1
    return minus(f"{value:,.{decimals}f}")


def plain(value: float | None) -> str:
    """As `figure`, without zeros at the end: for limits, ticks and other numbers that somebody chose or
    counted.
    """
    text = figure(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def minus(text: str) -> str:
    """`text` with a real minus sign."""
    return text.replace("-", "−")


def percent(share: float, signed: bool = False) -> str:
    """0.312 as `31 %`; `signed` writes the sign of growth too."""
    return minus(f"{share * 100:{'+' if signed else ''}.0f} %")


def change(score: Score, base: Score | None) -> float | None:
    """The relative difference in RMSE of `score` to `base`: -0.3 is 30 % less error."""
    if base is None or base.rmse <= 0:
        return None
    return score.rmse / base.rmse - 1


def day(text: str) -> str:
    """`2012-03-17` as `17 March 2012`."""
    value = date.fromisoformat(text)
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def days(first: str, last: str) -> str:
    """Two dates as one reads them aloud: `17–30 March 2012`."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if start == end:
        return day(last)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day}–{day(last)}"
    year = "" if start.year == end.year else f" {start.year}"
    return f"{start.day} {MONTHS[start.month - 1]}{year} – {day(last)}"


def moment(text: str) -> str:
    """An ISO 8601 time as `21 November 2026, 04:24 UTC`; other text as it is."""
    try:
        value = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return f"{day(value.date().isoformat())}, {value:%H:%M} UTC"


def when(text: str) -> str:
    """A moment of the data, `2012-03-20T09:00`, as `20 March 2012, 09:00`; an en dash where there is none."""
    return f"{day(text[:10])}, {text[11:16]}" if text else MISSING


def lasted(record: RunRecord) -> str:
    """The time from the start of a run to its end; an en dash where the times cannot be read."""
    try:
        start, end = (
            datetime.fromisoformat(text.replace("Z", "+00:00")) for text in (record.started, record.finished)
        )
        return seconds((end - start).total_seconds())
    except (TypeError, ValueError):
        return MISSING


def seconds(value: float) -> str:
    """A duration: `0.4 s`, `38 s`, `2 min 05 s`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    whole = round(value)
    return f"{whole // 60} min {whole % 60:02d} s"


def spans(record: RunRecord) -> str:
    """The window of a run: `span 1`, `spans 1–4`, or the numbers one by one where some are left out."""
    found = [span.number for span in record.spans]
    if not found:
        return "no span"
    return f"{'span' if len(found) == 1 else 'spans'} {numbers(found)}"


def numbers(found: Sequence[int]) -> str:
    """`1`, `1–4`, or one by one where some are left out; empty where there is none."""
    if len(found) > 1 and list(found) == list(range(found[0], found[-1] + 1)):
        return f"{found[0]}–{found[-1]}"
    return ", ".join(map(str, found))


def compared(score: Score, base: Score) -> str:
    """`31 % lower error than`, `2 % higher error than`, `the same error as`."""
    share = change(score, base)
    if share is None or abs(share) < 0.005:
        return "the same error as"
    return f"{percent(abs(share))} {'lower' if share < 0 else 'higher'} error than"


def compared_errors(error: float, base: float) -> str:
    """`31 % lower error`, `the same error`."""
    share = error / base - 1 if base > 0 else 0.0
    if abs(share) < 0.005:
        return "the same error"
    return f"{percent(abs(share))} {'lower' if share < 0 else 'higher'} error"


def verdict(record: RunRecord) -> str:
    """The outcome of a run in one sentence."""
    sentences = {
        "promoted": _promoted,
        "challenger": _challenger,
        "refused": _refused,
        "unchanged": _unchanged,
    }
    sentence = sentences.get(record.outcome)
    return sentence(record) if sentence else f"The run ended as “{record.outcome}”."


def _promoted(record: RunRecord) -> str:
    return f"Release {record.release_id} was promoted: {_measured(record)}."


def _challenger(record: RunRecord) -> str:
    return (
        f"Release {record.release_id} was registered as a challenger and not promoted: {_measured(record)}."
    )


def _measured(record: RunRecord) -> str:
    period = days(record.evaluation_first, record.evaluation_last)
    if record.champion is None:
        return f"the first model, with {compared(record.candidate, record.naive)} the naive mean on {period}"
    rival = "the model it replaces" if record.outcome == "promoted" else "the model in service"
    return f"{compared(record.candidate, record.champion)} {rival} on {period}"


def _refused(record: RunRecord) -> str:
    failed = failed_gates(record)
    kept = (
        f"release {record.champion_release} stays in service"
        if record.champion_release
        else "no model is in service"
    )
    if not failed:
        return f"The new model was refused; {kept}."
    others = len(failed) - 1
    more = f", and {others} more {'decision' if others == 1 else 'decisions'} failed" if others else ""
    return f"The new model was refused: {gate_sentence(failed[0])}{more}; {kept}."


def _unchanged(record: RunRecord) -> str:
    return (
        "Nothing has changed: every step came from cache, "
        f"and release {record.release_id} was registered before."
    )


def gate_sentence(gate: GateResult) -> str:
    """One failed rule in words: `“skill” failed on hour=night with 0.93 (limit 0.9 of the naive RMSE)`."""
    if gate.value is None:
        return f"“{gate.rule}” could not be measured on {gate.slice}"
    limit = f" (limit {plain(gate.limit)} {gate.unit}".rstrip() + ")" if gate.limit is not None else ""
    return f"“{gate.rule}” failed on {gate.slice} with {figure(gate.value)}{limit}"


def failed_gates(record: RunRecord) -> tuple[GateResult, ...]:
    """The rules that said no, in the order they were asked."""
    return tuple(gate for gate in record.gates if not gate.passed)


def flat(values: Mapping[str, object], prefix: str = "") -> tuple[tuple[str, str], ...]:
    """Nested parameters as (dotted name, text) pairs, in alphabetical order."""
    pairs: list[tuple[str, str]] = []
    for key in sorted(values):
        value = values[key]
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            pairs.extend(flat(value, f"{name}."))
        elif isinstance(value, (list, tuple)):
            pairs.append((name, ", ".join(map(str, value))))
        else:
            pairs.append((name, str(value)))
    return tuple(pairs)


def shortened(text: str, most: int = 16) -> str:
    """`text` cut to `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
