"""The shape of demand: over the years, over the week, and beside what it follows; and how the two halves of the data differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from pipelines.notebooks.style import BAD, MUTED, NAIVE, NEW, PREVIOUS, heat, panels, scale

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
YEAR_COLOURS = (NAIVE, NEW)
SMOOTHED_DAYS = 14


def years(hours: pd.DataFrame, label: str, unit: str) -> Figure:
    """Each year's daily means over the days of the year, with a fortnight's mean across them."""
    figure, (axes,) = panels(height=3.6)
    daily = hours.groupby("day")[label].mean()
    for (year, days), colour in zip(daily.groupby(pd.DatetimeIndex(daily.index).year), YEAR_COLOURS):
        place = pd.DatetimeIndex(days.index).dayofyear
        axes.plot(place, days, color=colour, alpha=0.3, linewidth=0.8)
        smooth = days.rolling(SMOOTHED_DAYS, center=True, min_periods=5).mean()
        axes.plot(place, smooth, color=colour, linewidth=2, label=str(year))
    axes.set_xticks(_month_starts(), MONTHS)
    axes.set_ylabel(f"mean {unit} an hour")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    return figure


def _month_starts() -> list[int]:
    return [day.dayofyear for day in pd.date_range("2011-01-01", periods=12, freq="MS")]


def week(hours: pd.DataFrame, hour: str, weekday: str, label: str, unit: str) -> Figure:
    """Mean demand by hour and weekday, one panel a year, on one scale."""
    by_year = hours.groupby(hours["day"].dt.year)
    figure, axes = panels(1, by_year.ngroups, 2.9, sharey=True)
    top = float(hours.groupby([hours["day"].dt.year, weekday, hour])[label].mean().max())
    for axis, (year, rows) in zip(axes, by_year):
        grid = rows.pivot_table(index=weekday, columns=hour, values=label, aggfunc="mean")
        image = heat(axis, grid, vmin=0, vmax=top)
        axis.set_title(str(year))
        axis.set_xticks(range(0, 24, 3))
        axis.set_xlabel("hour of the day")
    axes[0].set_yticks(range(7), WEEKDAYS)
    scale(figure, image, axes, f"mean {unit}")
    return figure


def follows(hours: pd.DataFrame, numbers: Mapping[str, str], label: str, unit: str, bins: int = 14) -> Figure:
    """The median of the label, and the middle half of its values, over each number; `numbers` names each column in words."""
    figure, axes = panels(1, len(numbers), 3.0, sharey=True)
    for axis, (name, words) in zip(axes, numbers.items()):
        for (year, rows), colour in zip(hours.groupby(hours["day"].dt.year), YEAR_COLOURS):
            middle = quartiles(rows[name], rows[label], bins)
            axis.fill_between(middle.index, middle[0.25], middle[0.75], color=colour, alpha=0.15, linewidth=0)
            axis.plot(middle.index, middle[0.5], color=colour, linewidth=2, label=str(year))
        axis.set_xlabel(words)
    axes[0].set_ylabel(f"{unit} an hour")
    axes[0].legend(loc="upper left")
    return figure


def quartiles(numbers: pd.Series, labels: pd.Series, bins: int) -> pd.DataFrame:
    """The quartiles of the labels in `bins` equally filled ranges of the numbers, by the mean number of each."""
    ranges = pd.qcut(numbers, bins, duplicates="drop")
    middle: pd.DataFrame = (
        labels.groupby(ranges, observed=True).quantile(np.array([0.25, 0.5, 0.75])).unstack()
    )
    middle.index = numbers.groupby(ranges, observed=True).mean().to_numpy()
    return middle


def halves(first: pd.DataFrame, second: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """How far the distributions of two parts lie apart: means, Kolmogorov-Smirnov distance (0 to 1), and its p-value."""
    return pd.DataFrame(
        [
            {
                "column": name,
                "first mean": float(first[name].mean()),
                "second mean": float(second[name].mean()),
                "KS distance": float(test.statistic),
                "p-value": f"{test.pvalue:.0e}",
            }
            for name in names
            for test in (ks_2samp(first[name], second[name]),)
        ]
    )


def halves_picture(first: pd.DataFrame, second: pd.DataFrame, words: Mapping[str, str]) -> Figure:
    """The two parts' distributions of each column, one over the other."""
    figure, axes = panels(-(-len(words) // 3), 3, 2.3)
    for axis, (name, said) in zip(axes, words.items()):
        both = pd.concat([first[name], second[name]])
        bins = np.linspace(both.min(), both.max(), 31)
        for part, colour in ((first, NAIVE), (second, NEW)):
            axis.hist(part[name], bins, density=True, histtype="stepfilled", alpha=0.35, color=colour)
            axis.hist(part[name], bins, density=True, histtype="step", color=colour)
        axis.set_title(said)
        axis.set_yticks([])
    for axis in axes[len(words) :]:
        axis.set_visible(False)
    return figure


def growth(hours: pd.DataFrame, label: str, alike: Sequence[str]) -> pd.Series:
    """By month: the second year's label ÷ the first's where the columns `alike` have the same values, as a change in percent."""
    means = _by_month_and_year(hours, label, alike)
    sums = means.groupby(level=0).sum()
    return (100.0 * (sums.iloc[:, 1] / sums.iloc[:, 0] - 1.0)).rename_axis("month")


def difference(hours: pd.DataFrame, name: str, alike: Sequence[str]) -> pd.Series:
    """By month: the second year's mean of a column minus the first's, likewise."""
    means = _by_month_and_year(hours, name, alike).groupby(level=0).mean()
    return (means.iloc[:, 1] - means.iloc[:, 0]).rename_axis("month")


def _by_month_and_year(hours: pd.DataFrame, name: str, alike: Sequence[str]) -> pd.DataFrame:
    year, month = hours["day"].dt.year, hours["day"].dt.month
    means: pd.DataFrame = hours.groupby([month, *alike, year])[name].mean().unstack().dropna()
    return means


def growth_picture(demand: pd.Series, weather: pd.Series, words: str) -> Figure:
    """The growth of the label by month, and below it the change of an input, which `words` names."""
    figure, (above, below) = panels(2, 1, 1.9, sharex=True)
    places = np.arange(len(demand))
    above.bar(places, demand, 0.6, color=NEW)
    above.set_ylabel("demand, %")
    below.bar(places, weather, 0.6, color=PREVIOUS)
    below.set_ylabel(words)
    below.set_xticks(places, [MONTHS[month - 1] for month in demand.index])
    for axes in (above, below):
        axes.axhline(0, color=MUTED, linewidth=0.8)
    above.set_title("2012 minus 2011, the same kind of hour")
    return figure


def naive_alarms(hours: pd.DataFrame, names: Sequence[str], rows: int = 168) -> pd.DataFrame:
    """The least p-value of a naive test of each stretch of `rows` against all others of the same data, by its first day."""
    found = []
    for start in range(0, len(hours) - rows + 1, rows):
        window = hours.iloc[start : start + rows]
        rest = hours.drop(window.index)
        p_values = [ks_2samp(window[name], rest[name]).pvalue for name in names]
        found.append({"day": window["day"].iloc[0], "p": max(min(p_values), 1e-60)})
    return pd.DataFrame(found)


def naive_picture(alarms: pd.DataFrame, tests: int) -> Figure:
    """The p-values of a year of weeks in which nothing had changed, and the limit that they are to stay above."""
    figure, (axes,) = panels(height=2.7)
    limit = 0.05 / tests
    axes.semilogy(alarms["day"], alarms["p"], "o", color=BAD, markersize=5)
    axes.axhline(limit, color=MUTED, linestyle="--", linewidth=1)
    axes.text(
        alarms["day"].iloc[0], limit * 8, f"the limit of the test: 0.05 / {tests}", color=MUTED, va="bottom"
    )
    axes.set_ylim(1e-61, 1e3)
    axes.set_ylabel("least p-value of the week")
    return figure
