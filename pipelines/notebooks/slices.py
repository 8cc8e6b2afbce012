"""Where a model is wrong and for whom: errors by slice with intervals, by hour of the week, the worst hours, and parity between slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from components.scoring import predict
from pedalflow.release import ONNX_MODEL
from pedalflow.use_case import SliceFeature, UseCase
from pipelines.notebooks.seasons import WEEKDAYS
from pipelines.notebooks.style import BAD, DIVERGING, GOOD, MUTED, NEW, PALE, heat, panels, scale

Array = npt.NDArray[np.float64]
Measure = Callable[..., Array]
"""(rows, squares, absolute errors, errors, labels), summed → a figure."""
DRAWS, SEED, COVERED = 1000, 0, 0.90
LEAST_ROWS = 24
PARITY = 1.5
"""A slice whose WAPE is so many times that of all rows, interval and all, is worse served than the rest."""


def judged(release: Path, rows: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """The rows with what the release says of them: `predicted`, and `error` (predicted - label)."""
    said = predict(release / ONNX_MODEL, case.features, rows)
    return rows.assign(predicted=said, error=said - rows[case.label])


def scores(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """RMSE, WAPE (%) and bias over all rows, each with its interval."""
    weights = _draws(rows["day"])
    figures = {
        "RMSE": _interval(_rmse, rows, label, weights),
        "WAPE, %": _interval(_wape, rows, label, weights),
        "bias": _interval(_bias, rows, label, weights),
    }
    return pd.DataFrame(
        [{"figure": name, "value": v, "from": low, "to": high} for name, (v, low, high) in figures.items()]
    )


def by_slice(rows: pd.DataFrame, slices: Sequence[SliceFeature], label: str) -> pd.DataFrame:
    """Each slice's rows, mean label, bias, and WAPE (%) with the interval that holds 90 % of resampled days.

    `ratio` is the slice's WAPE ÷ that of all rows, with its own interval: both are resampled together. Slices with fewer than 24 rows
    are left out.
    """
    weights = _draws(rows["day"])
    whole = _resampled(_wape, rows, label, weights)
    return pd.DataFrame(
        [
            _slice_row(name, part, label, weights, rows, whole)
            for name, part in _parts(rows, slices)
            if len(part) >= LEAST_ROWS
        ]
    )


def _parts(rows: pd.DataFrame, slices: Sequence[SliceFeature]) -> Iterator[tuple[str, pd.DataFrame]]:
    for feature in slices:
        for band, values in feature.bands.items():
            yield f"{feature.name} = {band}", rows[rows[feature.column].isin(values)]


def _slice_row(
    name: str, part: pd.DataFrame, label: str, weights: pd.DataFrame, rows: pd.DataFrame, whole: Array
) -> dict[str, object]:
    drawn = _resampled(_wape, part, label, weights)
    low, high = _bounds(drawn)
    ratio_low, ratio_high = _bounds(drawn / whole)
    value = _wape(*_sums(part, label))
    return {
        "slice": name,
        "rows": len(part),
        "mean": float(part[label].mean()),
        "bias": float(part["error"].mean()),
        "WAPE, %": float(value),
        "from": low,
        "to": high,
        "ratio": float(value / _wape(*_sums(rows, label))),
        "ratio from": ratio_low,
        "ratio to": ratio_high,
    }


# --- the bootstrap: whole days are drawn, since the hours of a day err alike ---------------------------------------


def _draws(days: pd.Series) -> pd.DataFrame:
    """How often each day (column) is drawn in each resample (row)."""
    known = np.unique(days)
    counts = np.random.default_rng(SEED).multinomial(len(known), np.full(len(known), 1 / len(known)), DRAWS)
    return pd.DataFrame(counts, columns=pd.DatetimeIndex(known))


def _daily(rows: pd.DataFrame, label: str) -> pd.DataFrame:
    """What the figures need of each day."""
    parts = {
        "rows": rows["error"] ** 0,
        "squares": rows["error"] ** 2,
        "absolute": rows["error"].abs(),
        "errors": rows["error"],
        "labels": rows[label],
    }
    return pd.DataFrame(parts).groupby(rows["day"]).sum()


def _sums(rows: pd.DataFrame, label: str) -> tuple[Array, ...]:
    return tuple(np.asarray(_daily(rows, label).sum()))


def _rmse(rows: Array, squares: Array, absolute: Array, errors: Array, labels: Array) -> Array:
    return np.sqrt(squares / rows)


def _wape(rows: Array, squares: Array, absolute: Array, errors: Array, labels: Array) -> Array:
    return 100.0 * absolute / labels


def _bias(rows: Array, squares: Array, absolute: Array, errors: Array, labels: Array) -> Array:
    return errors / rows


def _resampled(measure: Measure, rows: pd.DataFrame, label: str, weights: pd.DataFrame) -> Array:
    """The measure in every resample; a resample without any of the rows is no number."""
    daily = _daily(rows, label)
    sums = weights[daily.index].to_numpy() @ daily.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(measure(*sums.T))


def _bounds(drawn: Array) -> tuple[float, float]:
    low, high = np.nanquantile(drawn, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return float(low), float(high)


def _interval(
    measure: Measure, rows: pd.DataFrame, label: str, weights: pd.DataFrame
) -> tuple[float, float, float]:
    value = measure(*_sums(rows, label))
    return (float(value), *_bounds(_resampled(measure, rows, label, weights)))


# --- pictures ------------------------------------------------------------------------------------------------------


def parity(by_slice: pd.DataFrame) -> Figure:
    """Each slice's WAPE as a multiple of that of all rows, with its interval; beyond the band the slice is served worse."""
    figure, (axes,) = panels(height=0.3 * len(by_slice) + 0.9)
    axes.axvspan(1 / PARITY, PARITY, color=PALE, alpha=0.4, linewidth=0)
    axes.axvline(1.0, color=MUTED, linewidth=1)
    for place, row in enumerate(by_slice.to_dict("records")):
        colour = BAD if row["ratio from"] > PARITY else GOOD if row["ratio to"] < 1.0 else NEW
        axes.plot([row["ratio from"], row["ratio to"]], [place, place], color=colour, linewidth=2)
        axes.plot(row["ratio"], place, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(by_slice)), by_slice["slice"])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xscale("log")
    ticks = [0.5, 0.67, 1.0, 1.5, 2.0, 3.0]
    axes.set_xticks(ticks, [f"{tick:g} ×" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("WAPE of the slice ÷ WAPE of all hours")
    axes.invert_yaxis()
    return figure


def unequal(by_slice: pd.DataFrame) -> str:
    """Which slices the parity picture finds worse served, in a sentence."""
    worse = by_slice[by_slice["ratio from"] > PARITY]
    if worse.empty:
        return f"No slice is surely beyond {PARITY:g} × the error of all hours."
    named = ", ".join(f"{row['slice']} ({row['ratio']:.1f} ×)" for row in worse.to_dict("records"))
    return f"Surely beyond {PARITY:g} × the error of all hours: **{named}**."


def week_of_errors(rows: pd.DataFrame, hour: str, weekday: str, unit: str) -> Figure:
    """Mean error by hour and weekday: red where the model says too much, blue where too little."""
    grid = rows.pivot_table(index=weekday, columns=hour, values="error", aggfunc="mean")
    reach = float(grid.abs().max().max())
    figure, (axes,) = panels(height=2.9)
    image = heat(axes, grid, DIVERGING, vmin=-reach, vmax=reach)
    axes.set_yticks(range(7), WEEKDAYS)
    axes.set_xticks(range(0, 24, 3))
    axes.set_xlabel("hour of the day")
    scale(figure, image, axes, f"predicted - actual, {unit}")
    return figure


def worst_hours(rows: pd.DataFrame, shown: Sequence[str], label: str, count: int = 8) -> pd.DataFrame:
    """The hours with the greatest errors, one a day, with the columns that may say why."""
    order = rows.reindex(rows["error"].abs().sort_values(ascending=False, kind="stable").index)
    worst = order.drop_duplicates("day").head(count)
    return worst[["when", label, "predicted", "error", *shown]].rename(columns={label: "actual"})


def by_share(rows: pd.DataFrame, part: str, label: str, groups: int = 5) -> pd.DataFrame:
    """Errors by the share that `part` has of the label: for whom the model is wrong. The share is known afterwards only."""
    share = 100.0 * rows[part] / rows[label].clip(lower=1)
    band = pd.qcut(share, groups, labels=False, duplicates="drop")
    found = []
    for _, inside in rows.groupby(band):
        shares = share[inside.index]
        found.append(
            {
                f"share of {part}, %": f"{shares.min():.0f} to {shares.max():.0f}",
                "hours": len(inside),
                "mean": float(inside[label].mean()),
                "bias": float(inside["error"].mean()),
                "bias, % of mean": float(100.0 * inside["error"].sum() / inside[label].sum()),
                "WAPE, %": float(100.0 * inside["error"].abs().sum() / inside[label].sum()),
            }
        )
    return pd.DataFrame(found)


def compared(parts: Mapping[str, pd.DataFrame], label: str) -> pd.DataFrame:
    """RMSE with its interval, WAPE and bias of several models on their rows."""
    rows = []
    for name, part in parts.items():
        found = scores(part, label).set_index("figure")
        rows.append(
            {
                "model": name,
                "hours": len(part),
                "RMSE": found["value"]["RMSE"],
                "from": found["from"]["RMSE"],
                "to": found["to"]["RMSE"],
                "WAPE, %": found["value"]["WAPE, %"],
                "bias": found["value"]["bias"],
            }
        )
    return pd.DataFrame(rows)
