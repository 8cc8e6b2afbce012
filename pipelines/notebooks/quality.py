"""What the data are and how good: the table of columns beside what was found, hours that are absent, and how the slices are filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from pedalflow.columns import Column
from pedalflow.use_case import SliceFeature, UseCase
from pipelines.notebooks.style import MUTED, NEW, PALE, PREVIOUS, heat, panels, scale


def columns_found(hours: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """Each column with its role and unit, what it may hold, and what it holds."""
    return pd.DataFrame([_column(hours, column, case) for column in case.columns])


def _column(hours: pd.DataFrame, column: Column, case: UseCase) -> dict[str, object]:
    values = hours["day"] if column.name == case.date else hours[column.name]
    return {
        "column": column.name,
        "role": column.role.value,
        "unit": column.unit,
        "may be": _between(column.low, column.high),
        "is": _between(_short(values.min()), _short(values.max())),
        "missing": int(values.isna().sum()),
        "different": int(values.nunique()),
    }


def _between(low: object, high: object) -> str:
    return f"{'…' if low is None else low} to {'…' if high is None else high}"


def _short(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return round(value, 3) if isinstance(value, float) else value


def extent(hours: pd.DataFrame) -> str:
    """How many hours there are, in how many spans, and from when to when, in a sentence."""
    first, last = hours["day"].min(), hours["day"].max()
    return (
        f"**{len(hours):,} hours** in {hours['span'].nunique()} spans, {first:%d %B %Y} to {last:%d %B %Y}."
    )


def absent_hours(hours: pd.DataFrame) -> pd.DatetimeIndex:
    """The hours between the first and the last that have no row."""
    whole = pd.date_range(hours["when"].min(), hours["when"].max(), freq="h")
    return whole.difference(pd.DatetimeIndex(hours["when"]))


def checks(hours: pd.DataFrame, case: UseCase, parts: Sequence[str]) -> pd.DataFrame:
    """The questions that every table of hours should be asked, with the answers; `parts` are columns that add up to the label."""
    absent = absent_hours(hours)
    found = {
        "rows": len(hours),
        "hours without a row": len(absent),
        "days without any row": len(set(absent.date) - set(hours["day"].dt.date)),
        "rows that repeat an hour": int(hours.duplicated(list(case.key)).sum()),
        "empty cells": int(hours.isna().sum().sum()),
        f"rows in which {' + '.join(parts)} is not {case.label}": int(
            (hours[list(parts)].sum(axis=1) != hours[case.label]).sum()
        ),
    }
    return pd.DataFrame({"question": list(found), "answer": list(found.values())})


def coverage(hours: pd.DataFrame) -> Figure:
    """A square a day: how many of its hours have a row."""
    counts = hours.groupby("day").size().reindex(pd.date_range(hours["day"].min(), hours["day"].max()))
    days = pd.DatetimeIndex(counts.index)
    weeks = (days - days[0]).days // 7
    grid = pd.DataFrame({"week": weeks, "weekday": days.dayofweek, "rows": counts.fillna(0).to_numpy()})
    figure, (axes,) = panels(height=2.1)
    image = heat(axes, grid.pivot(index="weekday", columns="week", values="rows"), "Blues_r", vmin=0, vmax=24)
    axes.set_yticks(range(7), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    firsts = pd.date_range(days[0], days[-1], freq="QS")
    axes.set_xticks([(first - days[0]).days // 7 for first in firsts], [f"{f:%b %Y}" for f in firsts])
    scale(figure, image, axes, "hours with a row")
    return figure


def balance(parts: Mapping[str, pd.DataFrame], slices: Sequence[SliceFeature]) -> pd.DataFrame:
    """How many rows of each part of the data lie in each slice, and as a share of the part."""
    rows = []
    for feature in slices:
        for band, values in feature.bands.items():
            row: dict[str, object] = {"slice": f"{feature.name} = {band}"}
            for name, part in parts.items():
                inside = int(part[feature.column].isin(values).sum())
                row[f"{name}: rows"] = inside
                row[f"{name}: %"] = 100.0 * inside / max(1, len(part))
            rows.append(row)
    return pd.DataFrame(rows)


def balance_picture(parts: Mapping[str, pd.DataFrame], slices: Sequence[SliceFeature]) -> Figure:
    """The shares of `balance` as bars beside each other: a slice that a part lacks has none."""
    shares = balance(parts, slices)
    figure, (axes,) = panels(height=0.3 * len(shares) + 0.8)
    height = 0.8 / len(parts)
    for index, (name, colour) in enumerate(zip(parts, (PALE, PREVIOUS, NEW))):
        places = [place + (index - (len(parts) - 1) / 2) * height for place in range(len(shares))]
        axes.barh(places, shares[f"{name}: %"], height, label=name, color=colour)
    axes.set_yticks(range(len(shares)), shares["slice"])
    axes.tick_params(axis="y", colors=MUTED, length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("% of the part's rows")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure
