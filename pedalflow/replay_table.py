"""What a replay came to, as plain text: for the terminal, and sentences for the report."""

from __future__ import annotations

import math

from pedalflow.replay_record import DriftWindow, FeatureDrift, ReplayRecord, ServedHour
from pedalflow.tables import table


def replay_table(replay: ReplayRecord) -> str:
    """What the served release answered, and what its detectors said."""
    uses = [
        (use.name, use.address, str(use.requests), str(use.failed), f"{use.p50_ms:.1f}", f"{use.p99_ms:.1f}")
        for use in replay.interfaces
    ]
    flagged, staged = (sum(1 for h in replay.hours if h.reasons and h.staged is s) for s in (False, True))
    kept_out = ", ".join(f"{rows} {reason}" for reason, rows in replay.kept_out.items()) or "none"
    lines = [
        f"Release {replay.release}, served by Seldon's microservice. {replay.title}",
        "",
        table(uses, ("interface", "address", "requests", "failed", "median ms", "p99 ms")),
        "",
        table(
            [_row(w) for w in replay.windows], ("window", "rows", "drift", "score", "limit", "strongest test")
        ),
        "",
        f"Error:    RMSE {rmse(replay):.1f} over {len(ordinary(replay))} hours; REST and gRPC differ by {replay.difference:.1e} at most",
        f"Outliers: {flagged} ordinary and {staged} staged rows flagged; {replay.kept} labelled rows may retrain, kept out: {kept_out}",
        f"Concept:  {concept_sentence(replay)}",
    ]
    return "\n".join(lines) + "\n"


def _row(window: DriftWindow) -> tuple[str, ...]:
    test = strongest(window)
    staged = f" (staged: {window.staged})" if window.staged else ""
    return (
        f"{window.first} to {window.last}{staged}",
        str(window.rows),
        "yes" if window.is_drift else "no",
        f"{window.score:.2f}",
        f"{window.threshold:g}",
        f"{test.feature}, {test.test}" if test else "",
    )


def strongest(window: DriftWindow) -> FeatureDrift | None:
    """The test with the highest score; None where nothing could be tested."""
    return max(window.features, key=lambda feature: feature.score, default=None)


def ordinary(replay: ReplayRecord) -> tuple[ServedHour, ...]:
    """The hours that were sent as they were."""
    return tuple(hour for hour in replay.hours if not hour.staged)


def rmse(replay: ReplayRecord) -> float:
    """Root mean squared error of the ordinary hours; not a number where there is none."""
    squared = [(hour.prediction - hour.actual) ** 2 for hour in ordinary(replay)]
    return math.sqrt(sum(squared) / len(squared)) if squared else math.nan


def concept_sentence(replay: ReplayRecord) -> str:
    """Whether the labels say that the model no longer fits, and since when."""
    if not replay.concept:
        return "no day had its labels complete, so nothing is known"
    last, alarms = replay.concept[-1], [day for day in replay.concept if day.is_drift]
    mean = sum(day.mean_residual for day in replay.concept) / len(replay.concept)
    level = f"demand was {abs(math.expm1(mean)):.0%} {'above' if mean > 0 else 'below'} the predictions"
    if not alarms:
        return f"no drift in {len(replay.concept)} days of labels (score {last.score:.2g}, limit {last.threshold:.2g}); {level}"
    first = replay.concept.index(alarms[0]) + 1
    return f"drift, detected on {alarms[0].day}, after {first} days of labels; {level}"
