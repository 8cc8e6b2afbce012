"""The parameters of the compiled pipeline, with their defaults, and the arguments that a run gives them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.stand_in import STAND_IN
from pedalflow.errors import SettingsError
from pedalflow.run_record import SpanUsed
from pipelines.kubeflow.compilation import Compilation

STRING, INTEGER, DOUBLE, BOOLEAN = "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN"
HYPERPARAMETER = "model_"  # what the names of hyperparameters begin with
MOUNT = "/mnt/pedalflow"  # where the claim for releases is mounted
SECTIONS = ("tuner", "gates", "detectors")
IMAGE_DIGEST = "image_digest"
Value = str | int | float | bool


@dataclass(frozen=True)
class RootParameter:
    """One parameter of the pipeline. Without a default every run has to give it."""

    name: str
    kind: str
    what: str
    default: Value | None = None


def root_parameters(made: Compilation) -> tuple[RootParameter, ...]:
    """All parameters of the pipeline."""
    return (
        *_data(made),
        *_makings(made),
        *_hyperparameters(made),
        *_sections(made),
        *_places(made),
        *_reason(),
    )


def _data(made: Compilation) -> tuple[RootParameter, ...]:
    return (
        RootParameter(
            "spans",
            STRING,
            "The window: a JSON list of spans with number, rows, first, last, md5 and file, which is relative to spans_uri.",
        ),
        RootParameter("spans_uri", STRING, "Folder with the files of the spans.", f"{made.storage}/spans"),
        RootParameter(
            "first_evaluation_day", STRING, "YYYY-MM-DD; this day and all after it judge the model."
        ),
        RootParameter("champion", STRING, "Name of the release that serves; empty before there is one.", ""),
        RootParameter(
            "champion_uri",
            STRING,
            f"Folder of that release; where there is none, a name that ends with /{STAND_IN}, at which nothing lies.",
            f"{made.storage}/{STAND_IN}",
        ),
    )


def _makings(made: Compilation) -> tuple[RootParameter, ...]:
    return (
        RootParameter("commit", STRING, "Commit of the code in the image.", made.commit),
        RootParameter("dirty", BOOLEAN, "Whether that code differs from its commit.", made.dirty),
        RootParameter(
            "code", STRING, "Fingerprint of the code; the run compares it with the image's.", made.code
        ),
        RootParameter(
            IMAGE_DIGEST,
            STRING,
            "Digest of the tasks' image; the run compares it with the one that is compiled in.",
            made.image_digest,
        ),
    )


def _hyperparameters(made: Compilation) -> tuple[RootParameter, ...]:
    return tuple(
        RootParameter(HYPERPARAMETER + name, *_typed(name, value))
        for name, value in made.parameters["model"].items()
    )


def _typed(name: str, value: Any) -> tuple[str, str, Value]:
    """Kind, description and default. Whole numbers stay whole; what is no number travels as JSON text."""
    if type(value) is int:
        return INTEGER, f"Hyperparameter {name}.", value
    if type(value) is float:
        return DOUBLE, f"Hyperparameter {name}.", value
    return STRING, f"Hyperparameter {name}, as JSON.", json.dumps(value)


def hyperparameters_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: the hyperparameters among a task's parameters."""
    return {
        name.removeprefix(HYPERPARAMETER): json.loads(value) if isinstance(value, str) else value
        for name, value in values.items()
        if name.startswith(HYPERPARAMETER)
    }


def _sections(made: Compilation) -> tuple[RootParameter, ...]:
    return tuple(
        RootParameter(
            name,
            STRING,
            f"Section {name} of params.yaml, as JSON.",
            json.dumps(made.parameters[name], sort_keys=True),
        )
        for name in SECTIONS
    )


def _places(made: Compilation) -> tuple[RootParameter, ...]:
    return (
        RootParameter("registry_uri", STRING, "MLflow's tracking URI.", made.registry_uri),
        RootParameter(
            "registry_name", STRING, "The registered model and the experiment.", made.registry_name
        ),
        RootParameter(
            "registry_artifacts",
            STRING,
            "Where artifacts go if the registry is a database and no server.",
            "",
        ),
        RootParameter("releases", STRING, "Folder that blessed releases are pushed to.", f"{MOUNT}/releases"),
        RootParameter(
            "events_url",
            STRING,
            "Where the run's completion is posted as a CloudEvent; empty: nowhere.",
            made.events_url,
        ),
        RootParameter(
            "events_token_file",
            STRING,
            "File with the bearer token for it, if it exists.",
            made.events_token_file,
        ),
    )


def _reason() -> tuple[RootParameter, ...]:
    return (
        RootParameter("reason", STRING, "Why the run was started.", ""),
        RootParameter("idempotency_key", STRING, "The key by which the triggers know the run.", ""),
    )


@dataclass(frozen=True)
class SpanArgument:
    """One span as the parameter `spans` has it."""

    number: int
    rows: int
    first: str
    last: str
    md5: str
    file: str

    @property
    def used(self) -> SpanUsed:
        """The same without its file."""
        return SpanUsed(self.number, self.rows, self.first, self.last, self.md5)


def spans_argument(spans: Sequence[SpanArgument]) -> str:
    """The text of the parameter `spans`."""
    return json.dumps([asdict(span) for span in spans], sort_keys=True)


def read_spans(text: str) -> tuple[SpanArgument, ...]:
    """The inverse of `spans_argument`. Raises SettingsError where the text is no such list, or an empty one."""
    try:
        spans = tuple(SpanArgument(**item) for item in json.loads(text))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"the parameter spans is no JSON list of spans with number, rows, first, last, md5 and file: {error}"
        ) from error
    if not spans:
        raise SettingsError("the parameter spans is an empty list; there is nothing to train on")
    return spans


def read_argument(parameter: RootParameter | Mapping[str, Any], name: str, text: str) -> Value:
    """What was typed on a command line, as a value of the parameter's kind. Raises SettingsError where it is none."""
    kind = parameter.kind if isinstance(parameter, RootParameter) else parameter["parameterType"]
    readers: dict[str, Callable[[str], Value]] = {STRING: str, INTEGER: int, DOUBLE: float, BOOLEAN: _boolean}
    try:
        return readers[kind](text)
    except (KeyError, ValueError) as error:
        raise SettingsError(f"{name}={text!r} is no value for a parameter of the kind {kind}") from error


def _boolean(text: str) -> bool:
    values = {"true": True, "false": False}
    return values[text.lower()]
