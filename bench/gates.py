"""How far do honest models stray? Scores on every fortnight of 2011, to set the limits of the gates from.

    python -m bench.gates

Each fortnight of the first year is held out in turn; the rest of the year trains two networks that differ by their seed alone. The
table says how the figures that the gates look at spread over the fortnights, so that a limit can be set for a stated rate of false
alarms. Only 2011 is used: whatever is judged later has had no say.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from bench.features import fit_scaling, network_features, read_hours
from bikeshare import network
from bikeshare.slices import SLICES
from components.acceptance import Evaluation, evaluate, naive_predictions
from pedalflow.tables import table

ROOT = Path(__file__).resolve().parents[1]
FORTNIGHT = 14
QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)


def evaluations(hours: pd.DataFrame, hyperparameters: network.Hyperparameters) -> list[Evaluation]:
    """One evaluation for each fortnight; the twin with another seed stands as the champion."""
    year = hours[hours["yr"] == 0]
    first = year["day"].min()
    found = []
    for start in range(first, first + 365 - FORTNIGHT + 1, FORTNIGHT):
        inside = year["day"].between(start, start + FORTNIGHT - 1)
        train, rows = year[~inside], year[inside].copy()
        rows["actual"] = rows["cnt"].astype(float)
        rows["candidate"] = _predictions(train, rows, hyperparameters)
        rows["champion"] = _predictions(train, rows, replace(hyperparameters, seed=hyperparameters.seed + 1))
        rows["naive"] = naive_predictions(train, rows, ("hr", "workingday"), "cnt")
        found.append(evaluate(rows, SLICES))
        print(f"  fortnight {len(found)} of 26", file=sys.stderr)
    return found


def figures(found: list[Evaluation], slice_minimum_rows: int) -> dict[str, list[float]]:
    """What the gates look at, by the name of the parameter that limits it."""
    slices = [s for e in found for s in e.slices if s.candidate.rows >= slice_minimum_rows]
    return {
        "maximum_wape": [e.candidate.wape for e in found],
        "minimum_skill (1 - skill)": [e.candidate.rmse / e.naive.rmse for e in found],
        "slice_maximum_ratio": [s.candidate.rmse / s.naive.rmse for s in slices],
        "champion_tolerance (+ 1)": [e.candidate.rmse / e.champion.rmse for e in found if e.champion],
        "champion_slice_tolerance (+ 1)": [s.candidate.rmse / s.champion.rmse for s in slices if s.champion],
    }


def main() -> int:
    """Print the table; returns 0."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    hyperparameters = network.Hyperparameters.from_mapping(params["model"])
    found = evaluations(read_hours(ROOT / "data" / "raw" / "hour.csv.gz"), hyperparameters)
    spread = figures(found, params["gates"]["slice_minimum_rows"])
    rows = [
        [name, len(values), *(f"{np.quantile(values, q):.3f}" for q in QUANTILES)]
        for name, values in spread.items()
    ]
    print(table(rows, ["figure", "values", *(f"{100 * q:g} %" for q in QUANTILES)]))
    return 0


def _predictions(
    train: pd.DataFrame, rows: pd.DataFrame, hyperparameters: network.Hyperparameters
) -> npt.NDArray[np.float64]:
    network.seed_everything(hyperparameters)
    model = network.build(hyperparameters)
    scaling = fit_scaling(train)
    network.fit(model, network_features(train, scaling), train["cnt"].to_numpy(), hyperparameters)
    predicted: npt.NDArray[np.float64] = (
        model.predict_on_batch(network_features(rows, scaling)).reshape(-1).astype(float)
    )
    return predicted


if __name__ == "__main__":
    sys.exit(main())
