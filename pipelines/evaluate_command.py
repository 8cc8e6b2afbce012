"""What `pedalflow evaluate` does: the figures of one run in the form that DVC's metrics and plots read."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from components.acceptance import MODELS
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import DataMissing, SettingsError
from pedalflow.quiet import silence
from pedalflow.run_record import PREDICTIONS, RunRecord, from_json
from pedalflow.workspace import Workspace


def main(argv: list[str]) -> int:
    """Run `pedalflow evaluate` with the given arguments; returns the exit code."""
    arguments = options.parse("evaluate", argv)
    silence(verbose=arguments.verbose)
    record = _read(arguments.run)
    predictions = _read_predictions(Workspace(arguments.workspace).runs / record.run_id)
    arguments.into.mkdir(parents=True, exist_ok=True)
    text = json.dumps(metrics(record), indent=2) + "\n"
    (arguments.into / "metrics.json").write_text(text, encoding="utf-8")
    rmse_by(predictions, "dteday", "day").to_csv(arguments.into / "by_day.csv")
    rmse_by(predictions, "hr", "hr").to_csv(arguments.into / "by_hour.csv")
    predictions.to_csv(arguments.into / PREDICTIONS, index=False)
    print(text if arguments.json else f"metrics and plots of {record.run_id} lie in {arguments.into}")
    return 0


def metrics(record: RunRecord) -> dict[str, Any]:
    """Scores overall and by slice, and how many gates said no."""
    scores = {name: getattr(record, name) for name in MODELS}
    return {
        **{name: asdict(score) for name, score in scores.items() if score is not None},
        "slices": {f"{s.feature}={s.value}": s.candidate.rmse for s in record.slices},
        "failed_gates": sum(not gate.passed for gate in record.gates),
    }


def rmse_by(predictions: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """RMSE of each model in each group of `column`, which becomes the index under `name`."""
    models = [model for model in MODELS if predictions[model].notna().all()]
    squares = predictions[models].sub(predictions["actual"], axis=0) ** 2
    return squares.groupby(predictions[column].rename(name)).mean().pow(0.5).round(3)


def _read(path: Path) -> RunRecord:
    if not path.is_file():
        raise DataMissing(f"{path} is missing; `pedalflow --json train … > {path}` writes it")
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (SettingsError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _read_predictions(folder: Path) -> pd.DataFrame:
    path = folder / PREDICTIONS
    if not path.is_file():
        raise DataMissing(f"{path} is missing: the run is of another workspace; name that with --workspace")
    return pd.read_csv(path)


if __name__ == "__main__":
    sys.exit(outermost(main))
