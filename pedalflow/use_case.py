"""What a use case tells the platform. `params.yaml` names the package; `pipelines` imports its `use_case.USE_CASE`."""

from __future__ import annotations

from dataclasses import dataclass

from pedalflow.columns import Column, Role, with_role


@dataclass(frozen=True)
class SliceFeature:
    """One way to cut the evaluation rows: by `column`, whose values are grouped into named `bands`.

    `bands` maps a band's name to the column's values in it; a value is in one band at most, and rows with a value in none are in no slice.
    """

    name: str
    column: str
    bands: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class UseCase:
    """A use case: its columns and the dotted names of the functions that the platform is to call by name.

    `key` names the columns that identify a row; `date` and `hour` are the columns that order it. `naive` names the columns whose
    group means are the naive model. The dotted names stand for:

    - `preprocessing_fn`, `run_fn`, `tuner_fn`: what TFX's Transform, Trainer and Tuner call;
    - `hyperparameters`: `(mapping) -> dict`, the section `model` of `params.yaml`, checked and complete;
    - `row_rules`: a tuple of `pedalflow.row_rule.RowRule`, each of which takes the frame of typed columns and returns a boolean mask,
      True where a row breaks the rule;
    - `archive_span`: `(archive: Path, span: int) -> bytes`, which cuts one span out of the raw archive that ships with the
      project at `archive` (relative to the repository);
    - `span_of`: `(day: date) -> int | None`, the span a day belongs to; `span_dates`: `(span: int) -> (first, last)`;
    - `schema`: `() -> tensorflow_metadata.proto.v0.schema_pb2.Schema`; `request_schema`: `() -> dict`, a JSON Schema.

    `intended_use` is the model card's words on what the model is for, and where to expect worse.

    Raises ValueError where a column that gives the label away would be used to predict or to judge, or where a slice has a value
    in two bands.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    date: str
    hour: str
    label: str
    naive: tuple[str, ...]
    slices: tuple[SliceFeature, ...]
    preprocessing_fn: str
    run_fn: str
    tuner_fn: str
    hyperparameters: str
    row_rules: str
    archive: str
    archive_span: str
    span_of: str
    span_dates: str
    schema: str
    request_schema: str
    intended_use: str

    def __post_init__(self) -> None:
        roles = {column.name: column.role for column in self.columns}
        if roles.get(self.label) is not Role.LABEL:
            raise ValueError(
                f"{self.name}: `label` names {self.label!r}, which has not the role LABEL in the table of columns"
            )
        for use, names in self._uses().items():
            for name in names:
                if name not in roles:
                    raise ValueError(
                        f"{self.name}: `{use}` names {name!r}, which is not in the table of columns"
                    )
                if roles[name] in (Role.LEAK, Role.LABEL):
                    raise ValueError(
                        f"{self.name}: `{use}` names {name!r}, which gives the label away; use a column with the role FEATURE"
                    )

        for feature in self.slices:
            self._check_bands(feature)

    def _check_bands(self, feature: SliceFeature) -> None:
        band_of: dict[int, str] = {}
        for band, values in feature.bands.items():
            for value in set(values):
                if value in band_of:
                    raise ValueError(
                        f"{self.name}: slice {feature.name!r} has the value {value} in the bands {band_of[value]!r} and {band!r}; "
                        "leave it in one of them"
                    )
                band_of[value] = band

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a request carries and the model's graph takes, in table order."""
        return with_role(self.columns, Role.FEATURE)

    def _uses(self) -> dict[str, tuple[str, ...]]:
        return {
            "key": self.key,
            "date": (self.date,),
            "hour": (self.hour,),
            "naive": self.naive,
            "slices": tuple(feature.column for feature in self.slices),
        }
