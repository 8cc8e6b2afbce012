"""The yardstick: what a sensible person would write without a platform, on the same spans and to the same figures.

Read the CSVs, scale, estimate growth, train the same network on the same split, predict the evaluation days, score them overall
and by slice, save a SavedModel. No TFX, no validation, no gate, no registry, no lineage: those are what the pipeline's
additional seconds buy.

    python -m bench.bare --params params.yaml --out /tmp/bare data/spans/span-01.csv
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from bikeshare.calendar import DAYS_PER_YEAR, ORIGIN
from bikeshare.growth import COVARIATES, estimate
from bikeshare.network import Hyperparameters, build, fit, seed_everything
from bikeshare.slices import SLICES

CODES = ("hr", "season", "weekday", "holiday", "workingday", "weathersit")
SCALED = ("temp", "atemp", "hum", "windspeed")
LABEL, DATE = "cnt", "dteday"

Scaling = Mapping[str, tuple[float, float]]
Inputs = dict[str, npt.NDArray[Any]]


def run(spans: Sequence[Path], params: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Train and score; the SavedModel, its scaling and the predictions go to `out`. Returns RMSE and MAE by slice."""
    train, evaluation = split(read(spans), params["window"]["evaluation_days"])
    hyperparameters = Hyperparameters.from_mapping(params["model"])
    seed_everything(hyperparameters)
    scaling = {name: (float(train[name].mean()), float(train[name].std(ddof=0))) for name in SCALED}
    growth = estimate(_days(train), {name: train[name] for name in COVARIATES}, train[LABEL])
    model = build(hyperparameters, growth.rate)
    fit(model, inputs(train, scaling), train[LABEL].to_numpy(), hyperparameters)
    evaluation = evaluation.assign(
        candidate=model.predict(inputs(evaluation, scaling), batch_size=4096, verbose=0).reshape(-1),
        naive=naive(train, evaluation),
    )
    scores = {"overall": score(evaluation)} | by_slice(evaluation)
    out.mkdir(parents=True, exist_ok=True)
    model.export(str(out / "model"), verbose=False)
    (out / "scaling.json").write_text(json.dumps(scaling), encoding="utf-8")
    evaluation[[DATE, "hr", LABEL, "candidate", "naive"]].to_csv(out / "predictions.csv", index=False)
    return {"train_rows": len(train), "growth": growth.rate, "scores": scores}


def read(spans: Sequence[Path]) -> pd.DataFrame:
    """The rows of all spans, with real dates."""
    return pd.concat([pd.read_csv(span, parse_dates=[DATE]) for span in spans], ignore_index=True)


def split(rows: pd.DataFrame, evaluation_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last `evaluation_days` days evaluate, what lies before trains."""
    first = rows[DATE].max() - pd.Timedelta(days=evaluation_days - 1)
    return rows[rows[DATE] < first], rows[rows[DATE] >= first]


def inputs(rows: pd.DataFrame, scaling: Scaling) -> Inputs:
    """The network's inputs, [rows, 1] each: years since the origin, raw codes, z-scores."""
    columns: Inputs = {"t": (_days(rows) / DAYS_PER_YEAR).astype(np.float32)}
    columns |= {name: rows[name].to_numpy(np.int64) for name in CODES}
    for name, (mean, deviation) in scaling.items():
        columns[name] = ((rows[name].to_numpy() - mean) / deviation).astype(np.float32)
    return {name: values.reshape(-1, 1) for name, values in columns.items()}


def naive(train: pd.DataFrame, evaluation: pd.DataFrame) -> npt.NDArray[np.float64]:
    """The mean of the training rows by hour and working day."""
    by = ["hr", "workingday"]
    means = train.groupby(by)[LABEL].mean().rename("naive")
    return evaluation.join(means, on=by)["naive"].fillna(train[LABEL].mean()).to_numpy()


def score(rows: pd.DataFrame) -> dict[str, float]:
    """Rows, RMSE and MAE of the network, and the naive mean's RMSE."""
    error = rows["candidate"] - rows[LABEL]
    naive_error = rows["naive"] - rows[LABEL]
    return {
        "rows": len(rows),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "mae": float(np.mean(np.abs(error))),
        "naive_rmse": float(np.sqrt(np.mean(naive_error**2))),
    }


def by_slice(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The scores of every slice that has rows."""
    slices = {
        f"{feature.name}={value}": rows[rows[feature.column].isin(codes)]
        for feature in SLICES
        for value, codes in feature.bands.items()
    }
    return {name: score(inside) for name, inside in slices.items() if len(inside)}


def _days(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.asarray((rows[DATE] - pd.Timestamp(ORIGIN)).dt.days, np.int64)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the bare script and print its scores as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare", description=__doc__.partition("\n")[0])
    parser.add_argument("--params", type=Path, required=True, help="the pipeline's params.yaml")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the SavedModel and the predictions"
    )
    parser.add_argument("spans", type=Path, nargs="+", help="the CSV files of the window, oldest first")
    arguments = parser.parse_args(argv)
    params = yaml.safe_load(arguments.params.read_text(encoding="utf-8"))
    print(json.dumps(run(arguments.spans, params, arguments.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
