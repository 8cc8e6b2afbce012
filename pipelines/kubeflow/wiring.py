"""Where each task's parameters come from, as a table: parameters of the pipeline, texts of RunPlan, or Kubeflow's own values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PLAN = "RunPlan"
SPANS, CHAMPION = "Spans", "Champion"  # the importers
EXIT = "RunCompletion"
INNER = "tfx-dag"  # the name that TFX gives to the DAG of all tasks but the exit handler
RUN_ID, RUN_NAME = "{{$.pipeline_job_uuid}}", "{{$.pipeline_job_name}}"  # Kubeflow's driver fills these in


@dataclass(frozen=True)
class Root:
    """A parameter of the pipeline."""

    name: str


@dataclass(frozen=True)
class Planned:
    """An output parameter of RunPlan."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A value that Kubeflow's driver reads or replaces."""

    value: str


@dataclass(frozen=True)
class FinalStatus:
    """How the other tasks ended; for the exit handler only."""


Source = Root | Planned | Constant | FinalStatus

TASKS: Mapping[tuple[str, str], Source] = {
    (SPANS, "uri"): Root("spans_uri"),
    (CHAMPION, "uri"): Root("champion_uri"),
    ("ChampionModel", "champion"): Root("champion"),
    ("SpanExampleGen", "spans"): Planned("span_files"),
    ("SpanExampleGen", "first_evaluation_day"): Root("first_evaluation_day"),
    ("SpanExampleGen", "code"): Planned("maker"),
    ("CuratedSchema", "code"): Planned("maker"),
    ("Transform", "custom_config"): Planned("transform_config"),
    ("Trainer", "custom_config"): Planned("training_config"),
    ("AcceptanceGate", "rules"): Planned("gate_rules"),
    ("AcceptanceGate", "code"): Planned("maker"),
    ("DetectorFitter", "settings"): Planned("detector_settings"),
    ("DetectorFitter", "code"): Planned("maker"),
    ("ReleaseBuilder", "facts"): Planned("facts"),
    ("MlflowRegistrar", "registry"): Planned("registry"),
    ("MlflowRegistrar", "tags"): Planned("tags"),
    ("ReleasePusher", "custom_config"): Planned("pusher_config"),
}
EXIT_HANDLER: Mapping[tuple[str, str], Source] = {
    (EXIT, "status"): FinalStatus(),
    (EXIT, "run_id"): Constant(RUN_ID),
    (EXIT, "run_name"): Constant(RUN_NAME),
    (EXIT, "reason"): Root("reason"),
    (EXIT, "idempotency_key"): Root("idempotency_key"),
    (EXIT, "events_url"): Root("events_url"),
    (EXIT, "events_token_file"): Root("events_token_file"),
}


def plan_wires(parameters: Iterable[str]) -> dict[tuple[str, str], Source]:
    """RunPlan gets these parameters of the pipeline under their own names."""
    return {(PLAN, name): Root(name) for name in parameters}


def roots(wires: Mapping[tuple[str, str], Source]) -> tuple[str, ...]:
    """The parameters of the pipeline that these wires use, by name."""
    return tuple(sorted({source.name for source in wires.values() if isinstance(source, Root)}))
