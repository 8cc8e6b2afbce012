"""`params.yaml`, read once and strictly: unknown keys, wrong types and values out of range are refused before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pedalflow.errors import SettingsError


class Section(BaseModel):
    """A part of `params.yaml` that cannot change after it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WindowSettings(Section):
    """Which spans a run uses and which of their days it is judged on."""

    until_span: int = Field(
        ge=1, description="The newest span of the window; all older ones belong to it too."
    )
    evaluation_days: int = Field(
        ge=1, description="Days at the end of the newest span that judge the model and never train it."
    )


class TunerSettings(Section):
    """How `pedalflow train --tune` searches."""

    trials: int = Field(ge=1, description="Sets of hyperparameters to try.")
    validation_days: int = Field(ge=1, description="Days at the end of the training rows that judge a trial.")


class GateSettings(Section):
    """The acceptance rules. All must hold, and a figure that cannot be computed counts as a failure."""

    minimum_rows: int = Field(ge=1, description="Evaluation hours that there must be at least.")
    maximum_wape: float = Field(gt=0, description="Greatest MAE ÷ mean demand, over all evaluation hours.")
    minimum_skill: float = Field(
        lt=1, description="Least 1 - RMSE ÷ RMSE of the naive mean, over all evaluation hours."
    )
    slice_minimum_rows: int = Field(ge=1, description="A slice with fewer hours is reported but not judged.")
    slice_maximum_ratio: float = Field(
        gt=0, description="Greatest RMSE ÷ RMSE of the naive mean in any slice."
    )
    champion_tolerance: float = Field(
        ge=0, description="How much greater the RMSE may be than the champion's, as a share, overall."
    )
    champion_slice_tolerance: float = Field(ge=0, description="The same in each slice.")


class DetectorSettings(Section):
    """What the detectors that a release carries are fitted for."""

    window_rows: int = Field(ge=24, description="Requested rows that are judged together for data drift.")
    drift_false_alarm_rate: float = Field(
        gt=0, lt=0.5, description="Share of windows without any drift that may be called drifted."
    )
    concept_false_alarms_per_year: float = Field(
        gt=0, le=12, description="False alarms of concept drift to expect in a year of labels."
    )
    outlier_flag_rate: float = Field(
        gt=0, lt=0.1, description="Share of ordinary rows that may be flagged as outliers for their distance."
    )
    background_rows: int = Field(
        ge=8, le=256, description="Training rows that an explanation compares a prediction with."
    )


class RegistrySettings(Section):
    """Where releases are registered."""

    name: str = Field(pattern=r"^[\w.-]+$", description="Name of the registered model and of the experiment.")
    tracking_uri: str | None = Field(
        description="MLflow's tracking URI; null keeps everything inside the workspace."
    )

    @field_validator("tracking_uri")
    @classmethod
    def _without_password(cls, uri: str | None) -> str | None:
        """The URI ends up in records and metadata, so a password in it would be no secret for long."""
        if uri is not None and urlsplit(uri).password is not None:
            raise ValueError("holds a password; use MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
        return uri


class Settings(Section):
    """All of `params.yaml`."""

    use_case: str = Field(min_length=1, description="The package that holds the use case.")
    window: WindowSettings
    model: dict[str, Any] = Field(
        description="Hyperparameters; the use case's network knows and checks them."
    )
    tuner: TunerSettings
    gates: GateSettings
    detectors: DetectorSettings
    registry: RegistrySettings


def read_settings(path: Path) -> Settings:
    """Read and check `params.yaml`.

    Raises:
        SettingsError: the file is missing, is no YAML, or a field is unknown, missing or out of range; all are named.
    """
    if not path.is_file():
        raise SettingsError(f"{path} is missing; copy params.yaml from the repository root")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Settings.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not readable as YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"{path}: {problems}") from error
