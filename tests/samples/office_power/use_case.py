"""What the platform is told; `params.yaml` names this package as `use_case: office_power`."""

from __future__ import annotations

from office_power.columns import COLUMNS
from pedalflow.use_case import SliceFeature, UseCase

USE_CASE = UseCase(
    name="office_power",
    columns=COLUMNS,
    key=("day", "hour"),
    date="day",
    hour="hour",
    label="kwh",
    naive=("hour", "open"),
    slices=(
        SliceFeature("open", "open", {"no": (0,), "yes": (1,)}),
        SliceFeature("half", "hour", {"morning": tuple(range(12)), "afternoon": tuple(range(12, 24))}),
    ),
    preprocessing_fn="office_power.preprocessing.preprocessing_fn",
    run_fn="office_power.training.run_fn",
    tuner_fn="office_power.training.tuner_fn",
    hyperparameters="office_power.hyperparameters.checked",
    row_rules="office_power.row_rules.ROW_RULES",
    archive="office_power/archive.py",
    archive_span="office_power.archive.cut_span",
    span_of="office_power.spans.span_of",
    span_dates="office_power.spans.span_dates",
    schema="office_power.schema.schema",
    request_schema="office_power.request_schema.request_schema",
    intended_use="Use it for planning the next days of the same building.",
)
