"""MLflow: every run is recorded, every blessed release becomes a model version, and aliases say what it is used for.

`challenger` is the newest blessed version; `champion` is the one that serves and that the next candidate has to match. A version is
made after everything that it points to, with all its tags at once, so there are no half ones. A run that was interrupted is deleted;
one that was killed stays RUNNING until the next registration from the same workspace deletes it.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.onnx
import numpy as np
import onnx
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.models import infer_signature

from components.acceptance import failures
from components.registry import (
    CHALLENGER,
    CHAMPION,
    CHECKSUM_TAG,
    MODEL_FOLDER,
    RELEASE_FOLDER,
    RELEASE_TAG,
    Registered,
    Registry,
    find_version,
)
from components.scoring import graph_inputs
from components.verdict import Verdict
from pedalflow.columns import Column
from pedalflow.release import ONNX_MODEL, Release
from pedalflow.run_record import Score

WORKSPACE_TAG = "pedalflow.workspace"


@dataclass(frozen=True)
class Evidence:
    """What is kept beside the release: the gate's predictions, TensorBoard's logs, and a few raw rows as an input example."""

    predictions: Path
    training_logs: Path
    example: pd.DataFrame


def register(
    registry: Registry,
    release: Release,
    verdict: Verdict,
    evidence: Evidence,
    features: Sequence[Column],
    tags: Mapping[str, str],
) -> Registered:
    """Record the run, and make a blessed release a model version with the alias `challenger`.

    A release that is registered already keeps its version. On any error, Ctrl-C included, what was begun is taken back.
    """
    client = MlflowClient(registry.tracking_uri)
    _ensure_names(client, registry)
    sweep(client, registry)
    known = find_version(client, registry, release.name)
    if known is not None and known.version is not None:
        _make_challenger(client, registry, known.version)
        return known
    with _recorded_run(client, registry, release, verdict, tags) as run_id:
        client.log_artifact(run_id, str(evidence.predictions))
        client.log_artifacts(run_id, str(evidence.training_logs), "tensorboard")
        _log_model(client, run_id, release, features, evidence.example)
    if failures(verdict.gates):
        return Registered(run_id, None)
    number = _create_version(client, registry, run_id, release, verdict, tags)
    _make_challenger(client, registry, number)
    return Registered(run_id, number)


def sweep(client: MlflowClient, registry: Registry) -> None:
    """Delete the runs that this workspace began and never ended: a killed process cannot take back what it began."""
    experiment = client.get_experiment_by_name(registry.name)
    begun = f"attributes.status = 'RUNNING' and tags.`{WORKSPACE_TAG}` = '{_workspace(registry)}'"
    for run in client.search_runs([experiment.experiment_id], begun):
        client.delete_run(run.info.run_id)


def _ensure_names(client: MlflowClient, registry: Registry) -> None:
    if client.get_experiment_by_name(registry.name) is None:
        # Without a location of its own, MLflow on SQLite writes into the working directory; a server knows its own place.
        local = registry.tracking_uri.startswith("sqlite:")
        client.create_experiment(registry.name, artifact_location=registry.artifacts if local else None)
    if not client.search_registered_models(f"name = '{registry.name}'"):
        client.create_registered_model(registry.name)


@contextmanager
def _recorded_run(
    client: MlflowClient, registry: Registry, release: Release, verdict: Verdict, tags: Mapping[str, str]
) -> Iterator[str]:
    """An MLflow run with parameters, metrics, tags and the gates' decisions; deleted where the block inside fails."""
    experiment = client.get_experiment_by_name(registry.name)
    run = client.create_run(
        experiment.experiment_id,
        run_name=release.name,
        tags={**_run_tags(release, verdict, tags), WORKSPACE_TAG: _workspace(registry)},
    )
    try:
        client.log_batch(run.info.run_id, metrics=_metrics(verdict), params=_parameters(release.facts))
        client.log_dict(run.info.run_id, {"gates": [vars(gate) for gate in verdict.gates]}, "gates.json")
        yield run.info.run_id
    except BaseException:
        client.delete_run(run.info.run_id)
        raise
    client.set_terminated(run.info.run_id, "FINISHED")


def _create_version(
    client: MlflowClient,
    registry: Registry,
    run_id: str,
    release: Release,
    verdict: Verdict,
    tags: Mapping[str, str],
) -> str:
    source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
    rmse = verdict.evaluation.candidate.rmse
    days = f"{verdict.evaluation_first} to {verdict.evaluation_last}"
    created = client.create_model_version(
        registry.name,
        source,
        run_id,
        tags={**tags, RELEASE_TAG: release.name, CHECKSUM_TAG: release.checksum},
        description=f"{release.name}: RMSE {rmse:.1f} on {days}",
    )
    return str(created.version)


def _make_challenger(client: MlflowClient, registry: Registry, number: str) -> None:
    """The newest blessed version challenges, unless it serves already."""
    # MLflow's SQL store gives versions as numbers, its server as text.
    if str(client.get_registered_model(registry.name).aliases.get(CHAMPION)) != number:
        client.set_registered_model_alias(registry.name, CHALLENGER, number)


def _workspace(registry: Registry) -> str:
    """What tells this workspace's runs from those of others on the same server."""
    return hashlib.sha256(f"{socket.gethostname()}:{registry.artifacts}".encode()).hexdigest()[:16]


def _log_model(
    client: MlflowClient, run_id: str, release: Release, features: Sequence[Column], example: pd.DataFrame
) -> None:
    """The release as an MLflow model: its ONNX graph with signature and input example, the whole release in `release/`."""
    graph = onnx.load(release.folder / ONNX_MODEL)
    rows = graph_inputs(features, example)
    signature = infer_signature(rows, {"count": np.zeros((1, 1), np.float32)})
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / MODEL_FOLDER
        mlflow.onnx.save_model(
            graph,
            str(model),
            signature=signature,
            input_example=rows,
            pip_requirements=[f"onnxruntime=={version('onnxruntime')}"],
            onnx_execution_providers=[
                "CPUExecutionProvider"
            ],  # MLflow's own list asks for CUDA, and warns wherever there is none
        )
        shutil.copytree(release.folder, model / RELEASE_FOLDER)
        client.log_artifacts(run_id, str(model), MODEL_FOLDER)


def _run_tags(release: Release, verdict: Verdict, tags: Mapping[str, str]) -> dict[str, str]:
    refused = failures(verdict.gates)
    gate = {"pedalflow.gate": "refused" if refused else "passed"}
    if refused:
        gate["pedalflow.refused_by"] = "; ".join(
            f"{r.rule} [{r.slice}] {r.value} against {r.limit} {r.unit}" for r in refused
        )[:5000]
    return {RELEASE_TAG: release.name, CHECKSUM_TAG: release.checksum, **tags, **gate}


def _metrics(verdict: Verdict) -> list[Metric]:
    scores = verdict.evaluation
    named: dict[str, Score | None] = {
        "candidate": scores.candidate,
        "naive": scores.naive,
        "champion": scores.champion,
    }
    named |= {f"slice/{s.feature}/{s.value}": s.candidate for s in scores.slices}
    now = int(time.time() * 1000)
    return [
        Metric(f"{name}/{field}", getattr(score, field), now, 0)
        for name, score in named.items()
        if score is not None
        for field in ("rmse", "mae", "wape", "bias")
    ]


def _parameters(facts: Mapping[str, Any]) -> list[Param]:
    """Parameters flattened to `section.field`."""
    return [
        Param(f"{section}.{field}" if isinstance(values, dict) else section, str(value))
        for section, values in facts["parameters"].items()
        for field, value in (values.items() if isinstance(values, dict) else [(section, values)])
    ]
