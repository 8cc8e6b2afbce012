"""What the platform is told about bike sharing; `params.yaml` names this package as `use_case: bikeshare`."""

from __future__ import annotations

from bikeshare.columns import COLUMNS
from bikeshare.slices import SLICES
from pedalflow.use_case import UseCase

USE_CASE = UseCase(
    name="bikeshare",
    columns=COLUMNS,
    key=("dteday", "hr"),
    date="dteday",
    hour="hr",
    label="cnt",
    naive=("hr", "workingday"),
    slices=SLICES,
    preprocessing_fn="bikeshare.preprocessing.preprocessing_fn",
    run_fn="bikeshare.training.run_fn",
    tuner_fn="bikeshare.tuning.tuner_fn",
    hyperparameters="bikeshare.hyperparameters.checked",
    row_rules="bikeshare.row_rules.ROW_RULES",
    archive="data/raw/hour.csv.gz",
    archive_span="bikeshare.archive.cut_span",
    span_of="bikeshare.spans.span_of",
    span_dates="bikeshare.spans.span_dates",
    schema="bikeshare.schema.schema",
    request_schema="bikeshare.request_schema.request_schema",
    intended_use=(
        "Use it for planning the next days and weeks of the same city. It knows calendar and weather, not events, prices or new\n"
        "stations; far from the season and the weather it was trained on, and long after its newest span, expect worse."
    ),
)
