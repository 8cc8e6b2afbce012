"""The settings of the service: from variables of the environment and, below them, one YAML file; read once and strictly.

`PEDALFLOW_TRIGGERS_PORT=9200` sets `port`; `PEDALFLOW_TRIGGERS_RULES__DRIFT__COOL_DOWN_S=3600` sets what lies deeper. Secrets are named by
the file they lie in (`github_secret_file`), or come from the environment; the settings' file holds none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as UnreadableSettings

from pedalflow.errors import SettingsError
from pedalflow.workspace import Workspace
from triggers.events import Kind
from triggers.launchers.launcher_settings import LaunchersSettings
from triggers.policy import BY_KIND, Action, Rule
from triggers.settings_file import read_file
from triggers.sources.source_settings import SourceSettings

PREFIX = "PEDALFLOW_TRIGGERS_"
_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
DAY_S = 86400
TEN_YEARS_S = 3650 * DAY_S
Seconds = Annotated[float, Field(ge=0, le=TEN_YEARS_S, allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class ClockName(str, Enum):
    """By which clock cool-downs and quiet periods count."""

    WALL = "wall"
    DATA = "data"


class RuleNumbers(BaseModel):
    """Other numbers for one rule of the policy; what is left out stays as the policy has it."""

    model_config = _STRICT
    settle_s: Seconds | None = Field(default=None, description="Seconds that more of the same is waited for.")
    cool_down_s: Seconds | None = Field(
        default=None, description="Seconds from the start of one run to the next for this reason."
    )
    quiet_s: Seconds | None = Field(
        default=None, description="Seconds after a promotion in which nothing starts for this reason."
    )


class Slot(BaseModel):
    """An event of kind `schedule` that the service makes by itself, at every whole multiple of `every_s` since 1970, in UTC."""

    model_config = _STRICT
    name: Name = Field(
        description="What it is called; a schedule and a moment make one event, however often it is made."
    )
    every_s: Annotated[int, Field(ge=60, le=TEN_YEARS_S)] = Field(
        description="Seconds between two events, 60 or more."
    )


class TriggersSettings(BaseSettings):
    """All settings. Each has a default with which one machine needs no configuration."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; the default is this machine only."
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=9100, description="Port to listen on; 0 takes a free one."
    )
    pipeline: Name = Field(
        default="pedalflow", description="Name of the pipeline whose runs are started, one at a time."
    )
    database: SecretStr | None = Field(
        default=None,
        description="SQLAlchemy URL, sqlite:////… or postgresql+psycopg://…; default: a SQLite file in the workspace.",
    )
    database_file: Path | None = Field(
        default=None, description="File that holds the URL, as it may hold a password."
    )
    keep_days: Annotated[int, Field(ge=1, le=36500)] = Field(
        default=400,
        description="Days after which events that led to nothing are forgotten; not fewer than window_s, or they could be sent again.",
    )
    clock: ClockName = Field(
        default=ClockName.WALL,
        description="By which clock cool-downs and quiet periods count: wall, or data (of the newest data: for replays only, because one "
        "event about today puts it forward for good).",
    )

    body_bytes: Annotated[int, Field(ge=1024, le=64 * 2**20)] = Field(
        default=8 * 2**20, description="Longest body that is taken, in bytes."
    )
    body_s: Annotated[float, Field(gt=0, le=600)] = Field(
        default=30.0, description="Seconds in which a body has to be complete."
    )
    window_s: Annotated[float, Field(ge=60, allow_inf_nan=False)] = Field(
        default=7.0 * DAY_S,
        description="Age in seconds above which an event is refused as stale, where its source says when it happened.",
    )
    deliveries_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=2000.0, description="Deliveries a second that each source may make in the long run."
    )
    deliveries_burst: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Deliveries that each source may make at once."
    )
    failures_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        default=1.0,
        description="Failed authentications a second that each client address may make in the long run.",
    )
    failures_burst: Annotated[int, Field(ge=1)] = Field(
        default=30, description="Failed authentications that each client address may make at once."
    )

    github_secret: SecretStr | None = Field(default=None, description="Secret of the GitHub webhook.")
    github_secret_file: Path | None = Field(
        default=None, description="File with the secret of the GitHub webhook."
    )
    cloudevents_token: SecretStr | None = Field(
        default=None, description="Bearer token of the senders of CloudEvents."
    )
    cloudevents_token_file: Path | None = Field(
        default=None, description="File with the bearer token of the senders of CloudEvents."
    )
    alertmanager_token: SecretStr | None = Field(default=None, description="Bearer token of Alertmanager.")
    alertmanager_token_file: Path | None = Field(
        default=None, description="File with the bearer token of Alertmanager."
    )
    s3_token: SecretStr | None = Field(
        default=None, description="Bearer token of the sender of S3 or MinIO notifications."
    )
    s3_token_file: Path | None = Field(
        default=None, description="File with the bearer token of the sender of S3 or MinIO notifications."
    )
    schedule_token: SecretStr | None = Field(
        default=None, description="Bearer token of the job that keeps a schedule."
    )
    schedule_token_file: Path | None = Field(
        default=None, description="File with the bearer token of the job that keeps a schedule."
    )
    person_token: SecretStr | None = Field(
        default=None, description="Bearer token of people; it opens the page as well."
    )
    person_token_file: Path | None = Field(
        default=None, description="File with the bearer token of people; it opens the page as well."
    )
    pubsub_audience: str = Field(
        default="", description="Audience of the tokens of Pub/Sub push; empty keeps Pub/Sub out."
    )
    pubsub_account: str = Field(
        default="", description="E-mail address of the service account that pushes; needed with the audience."
    )
    pubsub_keys_url: str = Field(
        default="https://www.googleapis.com/oauth2/v3/certs",
        description="Where the keys are that sign the tokens of Pub/Sub push.",
    )
    reader_token: SecretStr | None = Field(
        default=None,
        description="Password of the page and of /api, with any user name; without one only this machine may read, and no proxy.",
    )
    reader_token_file: Path | None = Field(
        default=None, description="File with the password of the page and of /api."
    )

    rules: Mapping[Kind, RuleNumbers] = Field(
        default_factory=dict, description="Other numbers for rules of the policy, by kind of event."
    )
    schedule: tuple[Slot, ...] = Field(default=(), description="Events that the service makes by itself.")
    sources: SourceSettings = Field(default_factory=SourceSettings, description="How deliveries are read.")
    launchers: LaunchersSettings = Field(
        default_factory=LaunchersSettings, description="Which launcher starts which runs."
    )

    @field_validator("rules", mode="before")
    @classmethod
    def _kinds_as_variables_name_them(cls, given: object) -> object:
        """A variable's name has no hyphen: `RULES__CONCEPT_DRIFT__…` means concept-drift."""
        if not isinstance(given, dict):
            return given
        return {str(kind).replace("_", "-"): numbers for kind, numbers in given.items()}

    @model_validator(mode="after")
    def _checked(self) -> TriggersSettings:
        for name in secret_names():
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file are both set; keep one of them")
        for kind in self.rules:
            if BY_KIND[kind].action is Action.RECORD:
                raise ValueError(
                    f"rules.{kind.value}: such an event is only recorded, so it has no numbers to set"
                )
        if self.keep_days * DAY_S < self.window_s:
            raise ValueError(
                "keep_days is less than window_s: what is forgotten while it may still be sent would count twice"
            )
        if bool(self.pubsub_audience) != bool(self.pubsub_account):
            raise ValueError("pubsub_audience and pubsub_account are needed together")
        names = [slot.name for slot in self.schedule]
        if len(set(names)) < len(names):
            raise ValueError("schedule: two entries have the same name")
        return self


def secret_names() -> tuple[str, ...]:
    """The settings that hold a secret; each has a sister `…_file`."""
    return tuple(
        name for name in TriggersSettings.model_fields if f"{name}_file" in TriggersSettings.model_fields
    )


def read_settings(file: Path | None = None) -> TriggersSettings:
    """The settings from the environment, below it those of `file`, below these the defaults.

    Raises:
        SettingsError: a name is unknown, a value cannot be used, or the file cannot be read or holds a secret. No value is repeated.
    """
    _refuse_unknown(os.environ)
    below = {} if file is None else read_file(file, secret_names())

    class Configured(TriggersSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, InitSettingsSource(settings_cls, init_kwargs=below)

    try:
        return Configured()
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except UnreadableSettings as error:
        raise SettingsError(f"{error}; the value has to be JSON") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """A slip of the pen in a variable's name is an error and no default."""
    known = {name.upper() for name in TriggersSettings.model_fields}
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name.split("__")[0] not in known:
            raise SettingsError(
                f"the variable {variable} names no setting; there are {', '.join(sorted(TriggersSettings.model_fields))}"
            )


def _sentence(error: ValidationError) -> str:
    """What is wrong, field by field, without the values, which may be secret."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'settings'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors()
    )


def effective_rules(settings: TriggersSettings) -> Mapping[Kind, Rule]:
    """The policy with the numbers of the settings."""
    return {
        kind: replace(
            rule, **(settings.rules[kind].model_dump(exclude_none=True) if kind in settings.rules else {})
        )
        for kind, rule in BY_KIND.items()
    }


def own_database(workspace: Workspace) -> str:
    """The URL of the database that a workspace has where the settings name no other."""
    return f"sqlite:///{workspace.triggers_database}"


def database_url(settings: TriggersSettings, workspace: Workspace) -> str:
    """The URL of the database; SettingsError where the file that holds it cannot be read."""
    if settings.database is not None:
        return settings.database.get_secret_value()
    if settings.database_file is None:
        return own_database(workspace)
    try:
        return settings.database_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"database_file {settings.database_file} cannot be read; it has to hold a URL"
        ) from error
