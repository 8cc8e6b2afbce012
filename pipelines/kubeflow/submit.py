"""Starts runs and recurring runs of a deployed version, each once: what is there already is found by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pedalflow.errors import SettingsError
from pipelines.kubeflow.api import Json
from pipelines.kubeflow.api_calls import Kubeflow, Version
from pipelines.kubeflow.api_once import find_or_make

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CRON_FIELD = re.compile(r"[\w*/,?-]+", re.ASCII)


@dataclass(frozen=True)
class Started:
    """A run; `made` is False where it was there already."""

    run: Json
    made: bool


@dataclass(frozen=True)
class Order:
    """What is to run under which name."""

    name: str
    experiment: str
    version: Version
    arguments: Mapping[str, Any]
    service_account: str = ""  # of the pods; empty for the server's own
    pipeline_root: str = ""  # where artifacts go; empty for the version's own

    def body(self, experiment_id: str) -> Json:
        """The request for it."""
        account = {"service_account": self.service_account} if self.service_account else {}
        root = {"pipeline_root": self.pipeline_root} if self.pipeline_root else {}
        return {
            **account,
            "display_name": self.name,
            "experiment_id": experiment_id,
            "pipeline_version_reference": {
                "pipeline_id": self.version.pipeline_id,
                "pipeline_version_id": self.version.version_id,
            },
            "runtime_config": {"parameters": dict(self.arguments), **root},
        }


def run_name(pipeline: str, key: str) -> str:
    """The name that a run is found by. Raises SettingsError for a key that cannot be part of one."""
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"the key {key!r} cannot be part of a run's name; it has up to 63 letters, digits, dots, hyphens and underscores"
        )
    return f"{pipeline}-{key}"


def start(server: Kubeflow, order: Order) -> Started:
    """Start the run, unless there is one of its name. Raises what `Api` raises."""
    experiment = _experiment(server, order.experiment)
    return Started(
        *find_or_make(
            lambda: server.run_named(experiment, order.name),
            lambda: server.make_run(order.body(experiment)),
        )
    )


def recur(server: Kubeflow, order: Order, cron: str) -> Started:
    """Make the one recurring run of this name, one run at a time, without making up for missed ones. Others of the name are removed.

    A new one is there before an old one goes, so that nothing is lost where this is interrupted. Raises what `Api` raises.
    """
    experiment = _experiment(server, order.experiment)
    body = order.body(experiment) | {
        "max_concurrency": "1",
        "no_catchup": True,
        "mode": "ENABLE",
        "trigger": {"cron_schedule": {"cron": cron}},
    }

    def find() -> Json | None:
        return next((r for r in server.recurring_runs(experiment, order.name) if _same(r, body)), None)

    kept, made = find_or_make(find, lambda: server.make_recurring_run(body))
    for other in server.recurring_runs(experiment, order.name):
        if other["recurring_run_id"] != kept["recurring_run_id"]:
            server.delete_recurring_run(other["recurring_run_id"])
    return Started(kept, made)


def six_fields(cron: str) -> str:
    """A schedule as Kubeflow has it, which begins with the second; five fields are those of crontab and get second 0.

    Raises SettingsError where it is neither.
    """
    fields = cron.split()
    if len(fields) not in (5, 6) or not all(map(_CRON_FIELD.fullmatch, fields)):
        raise SettingsError(
            f"{cron!r} is no schedule; give five fields (minute hour day month weekday) or six with the second before them"
        )
    return " ".join(fields if len(fields) == 6 else ["0", *fields])


def _experiment(server: Kubeflow, name: str) -> str:
    return find_or_make(lambda: server.experiment(name), lambda: server.make_experiment(name))[0]


def _same(there: Json, wanted: Json) -> bool:
    """Whether a recurring run does what is wanted. A server adds fields of its own, and its own account and root where none is named."""
    account = wanted.get("service_account", there.get("service_account"))
    root = _root(wanted) or _root(there)
    return _what(there) == _what(wanted) and there.get("service_account") == account and _root(there) == root


def _root(recurring: Json) -> str:
    return (recurring.get("runtime_config") or {}).get("pipeline_root") or ""


def _what(recurring: Json) -> tuple[Any, ...]:
    return (
        recurring.get("pipeline_version_reference", {}).get("pipeline_version_id"),
        (recurring.get("runtime_config") or {}).get("parameters"),
        (recurring.get("trigger") or {}).get("cron_schedule", {}).get("cron"),
        str(recurring.get("max_concurrency")),
        bool(recurring.get("no_catchup")),
        recurring.get("mode"),
    )
