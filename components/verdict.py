"""The whole judgement of one candidate: predictions of three models on the same newest rows, scores, and the gates' decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from components.acceptance import Evaluation, Rules, evaluate, judge, naive_predictions
from components.examples_frame import read_columns
from components.scoring import predict
from components.use_cases import model_columns
from pedalflow.errors import ReleaseBroken
from pedalflow.frozen_json import from_text, to_text
from pedalflow.run_record import DAY, HOUR, PREDICTIONS, GateResult
from pedalflow.use_case import UseCase

AGREEMENT = 1e-3  # greatest relative difference between TFMA's RMSE and ours; both sum float32 predictions


@dataclass(frozen=True)
class Verdict:
    """Scores and the decision of every gate, with the size of the two splits and the dates of the evaluation."""

    train_rows: int
    evaluation_first: str
    evaluation_last: str
    evaluation: Evaluation
    gates: tuple[GateResult, ...]


def assess(
    case: UseCase, examples: Path, candidate: Path, champion: Path | None, rules: Rules
) -> tuple[Verdict, pd.DataFrame]:
    """Score the candidate on the split `eval`; also returns the predictions, row by row."""
    columns = model_columns(case)
    naive = [column for column in columns if column.name in (*case.naive, case.label)]
    train, rows = (
        read_columns(examples / "Split-train", naive),
        read_columns(examples / "Split-eval", columns),
    )
    rows["actual"] = rows[case.label].astype(float)
    rows["candidate"] = predict(candidate, case.features, rows)
    rows["naive"] = naive_predictions(train, rows, case.naive, case.label)
    if champion is not None:
        rows["champion"] = predict(champion, case.features, rows)
    scores = evaluate(rows, case.slices)
    dates = pd.to_datetime(rows[case.date], unit="D").dt.strftime("%Y-%m-%d")
    verdict = Verdict(len(train), dates.min(), dates.max(), scores, judge(scores, rules))
    predictions = pd.DataFrame({DAY: dates, HOUR: rows[case.hour]})
    for name in ("actual", "candidate", "naive", "champion"):
        predictions[name] = rows.get(name)
    return verdict, predictions


def check_against_tfma(evaluation: Evaluation, folder: Path) -> None:
    """Compare the candidate's RMSE with what TFMA computed from the SavedModel.

    Raises:
        ReleaseBroken: they differ, so what was evaluated is not what would be served.
    """
    # Here and not above: it is heavy, and this check alone needs it.
    from tensorflow_model_analysis import load_eval_result

    # TFMA drops the name of a model that is alone.
    name = None if evaluation.champion is None else "candidate"
    overall = dict(load_eval_result(str(folder), model_name=name).slicing_metrics)[()]
    rmse = math.sqrt(overall[""][""]["mean_squared_error"]["doubleValue"])
    if not abs(rmse - evaluation.candidate.rmse) <= AGREEMENT * evaluation.candidate.rmse:
        raise ReleaseBroken(
            f"TFMA measured RMSE {rmse:.4f} on the SavedModel, but the ONNX model has {evaluation.candidate.rmse:.4f} "
            "on the same rows; the export is not the model that was evaluated"
        )


def write_verdict(verdict: Verdict, predictions: pd.DataFrame, folder: Path) -> None:
    """Write `verdict.json` and `predictions.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(to_text(verdict), encoding="utf-8")
    predictions.to_csv(folder / PREDICTIONS, index=False, float_format="%.3f")


def read_verdict(folder: Path) -> Verdict:
    """The inverse of `write_verdict`, for the verdict."""
    return from_text(Verdict, (folder / "verdict.json").read_text(encoding="utf-8"))
