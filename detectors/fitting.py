"""Fits every detector of a release from what its model was trained and evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detectors.concept import fit_concept
from detectors.contributions import choose_background
from detectors.drift import fit_drift
from detectors.layout import Array, Columns, Layout, joined
from detectors.outliers import fit_outliers
from detectors.screening import fit_screening, log_residuals
from detectors.stored import Detectors


@dataclass(frozen=True)
class FittingSettings:
    """`window_rows`: rows of a drift window (168 hours are a week), `drift_false_alarm_rate`: share of unchanged windows that alarm,
    `concept_false_alarms_per_year`, `outlier_flag_rate`: share of training rows beyond the distance limit, `background_rows`:
    rows that contributions are measured against.
    """

    window_rows: int = 168
    drift_false_alarm_rate: float = 0.05
    concept_false_alarms_per_year: float = 0.5
    outlier_flag_rate: float = 0.002
    background_rows: int = 16


def fit_detectors(
    train: Columns,
    train_labels: Array,
    evaluation: Columns,
    evaluation_labels: Array,
    predict: Callable[[Columns], Array],
    layout: Layout,
    settings: FittingSettings,
) -> Detectors:
    """Outliers and drift learn the inputs of training and evaluation together; what needs labels keeps the two apart."""
    features = {name: train[name] for name in layout.features}
    unseen = {name: evaluation[name] for name in layout.features}
    history = joined(features, unseen)
    train_predictions, evaluation_predictions = predict(features), predict(unseen)
    concept = fit_concept(
        features[layout.date],
        log_residuals(train_labels, train_predictions),
        unseen[layout.date],
        log_residuals(evaluation_labels, evaluation_predictions),
        settings.concept_false_alarms_per_year,
    )
    return Detectors(
        layout,
        fit_outliers(history, layout, settings.outlier_flag_rate),
        fit_drift(history, layout, settings.window_rows, settings.drift_false_alarm_rate),
        concept,
        fit_screening(features, layout, train_labels, train_predictions),
        choose_background(features, train_predictions, settings.background_rows),
    )
