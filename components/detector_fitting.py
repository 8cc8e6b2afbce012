"""Fits, on the very rows that trained a model, what will judge the rows that it is asked about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.examples_frame import read_columns
from components.scoring import predict
from components.use_cases import model_columns
from detectors.fitting import FittingSettings, fit_detectors
from detectors.layout import Columns, Layout
from detectors.stored import Detectors
from pedalflow.columns import Kind
from pedalflow.use_case import UseCase

_TYPES = {Kind.DATE: np.int64, Kind.INTEGER: np.int64, Kind.NUMBER: np.float64}


def fit(case: UseCase, examples: Path, onnx_model: Path, settings: FittingSettings) -> Detectors:
    """Outliers, drift and background from the split `train`; concept drift also from `eval`, which the model never saw."""
    columns = model_columns(case)
    train, evaluation = (read_columns(examples / f"Split-{split}", columns) for split in ("train", "eval"))

    def model(rows: Columns) -> npt.NDArray[np.float64]:
        return predict(onnx_model, case.features, pd.DataFrame(dict(rows)))

    return fit_detectors(
        features_of(case, train),
        train[case.label].to_numpy(np.float64),
        features_of(case, evaluation),
        evaluation[case.label].to_numpy(np.float64),
        model,
        layout_of(case),
        settings,
    )


def layout_of(case: UseCase) -> Layout:
    """What the detectors are told of the use case's columns."""
    integers, numbers = (
        tuple(column.name for column in case.features if column.kind is kind)
        for kind in (Kind.INTEGER, Kind.NUMBER)
    )
    return Layout(case.date, case.hour, case.label, integers, numbers)


def features_of(case: UseCase, rows: pd.DataFrame) -> Columns:
    """The features of `rows` as the detectors take them."""
    return {column.name: rows[column.name].to_numpy(_TYPES[column.kind]) for column in case.features}
