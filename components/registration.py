"""MLflow: every run is recorded, every blessed release becomes a model version, and aliases say what it is used for.

`challenger` is the newest blessed version; `champion` is the one that serves and that the next candidate has to match. A version
carries the tag `pedalflow.release` only when it is whole: what lacks it was interrupted and is removed before anything else happens.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.artifacts
import mlflow.onnx
import numpy as np
import numpy.typing as npt
import onnx
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from components.acceptance import failures
from components.release_store import push_release
from components.scoring import NUMPY_TYPES
from components.verdict import Verdict
from pedalflow.columns import Column
from pedalflow.errors import ReleaseBroken
from pedalflow.release import ONNX_MODEL, Release, open_release
from pedalflow.run_record import Score

CHAMPION, CHALLENGER = "champion", "challenger"
RELEASE_TAG = "pedalflow.release"
CHECKSUM_TAG = "pedalflow.checksum"
MODEL_FOLDER, RELEASE_FOLDER = "model", "release"


@dataclass(frozen=True)
class Registry:
    """Where to register: MLflow's tracking URI, the name of model and experiment, and where artifacts go if MLflow lets us choose."""

    tracking_uri: str
    name: str
    artifacts: str


@dataclass(frozen=True)
class Evidence:
    """What is kept beside the release: the gate's predictions, TensorBoard's logs, and a few raw rows as an input example."""

    predictions: Path
    training_logs: Path
    example: pd.DataFrame


@dataclass(frozen=True)
class Registered:
    """What became of a release. `version` is None where the gates refused it."""

    mlflow_run: str
    version: str | None


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
    if known is not None:
        return known
    with _recorded_run(client, registry, release, verdict, tags) as run_id:
        client.log_artifact(run_id, str(evidence.predictions))
        client.log_artifacts(run_id, str(evidence.training_logs), "tensorboard")
        _log_model(client, run_id, release, features, evidence.example)
        if failures(verdict.gates):
            return Registered(run_id, None)
        return Registered(run_id, _create_version(client, registry, run_id, release, verdict))


def find_version(client: MlflowClient, registry: Registry, release: str) -> Registered | None:
    """The version that holds the release of this name, if there is one."""
    for candidate in client.search_model_versions(f"name = '{registry.name}'"):
        if candidate.tags.get(RELEASE_TAG) == release:
            return Registered(candidate.run_id or "", str(candidate.version))
    return None


def sweep(client: MlflowClient, registry: Registry) -> None:
    """Remove versions that an interrupted registration left behind."""
    for found in client.search_model_versions(f"name = '{registry.name}'"):
        if RELEASE_TAG not in found.tags:
            client.delete_model_version(registry.name, found.version)


def champion_release(registry: Registry) -> str | None:
    """The name of the release that serves, or None before the first promotion."""
    client = MlflowClient(registry.tracking_uri)
    try:
        return client.get_model_version_by_alias(registry.name, CHAMPION).tags.get(RELEASE_TAG)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def fetch_release(registry: Registry, name: str, releases: Path) -> Path:
    """Bring a registered release into the folder `releases`, whole and verified.

    Raises:
        ReleaseBroken: no version holds it, or its artifacts are not what its manifest says.
    """
    known = find_version(MlflowClient(registry.tracking_uri), registry, name)
    if known is None:
        raise ReleaseBroken(
            f"release {name} is in no version of {registry.name!r} at {registry.tracking_uri}; train again"
        )
    with tempfile.TemporaryDirectory() as folder:
        artifact = f"runs:/{known.mlflow_run}/{MODEL_FOLDER}/{RELEASE_FOLDER}"
        fetched = mlflow.artifacts.download_artifacts(
            artifact, dst_path=folder, tracking_uri=registry.tracking_uri
        )
        return push_release(open_release(Path(fetched)), releases)


def promote(registry: Registry, number: str) -> None:
    """Make a version the champion; it stops being the challenger."""
    client = MlflowClient(registry.tracking_uri)
    client.set_registered_model_alias(registry.name, CHAMPION, number)
    client.delete_registered_model_alias(registry.name, CHALLENGER)


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
        experiment.experiment_id, run_name=release.name, tags=_run_tags(release, verdict, tags)
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
    client: MlflowClient, registry: Registry, run_id: str, release: Release, verdict: Verdict
) -> str:
    """Aliases and the tag that makes a version count come last, so that half a registration never serves."""
    source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
    scores = verdict.evaluation.candidate
    description = (
        f"{release.name}: RMSE {scores.rmse:.1f} on {verdict.evaluation_first} to {verdict.evaluation_last}"
    )
    created = client.create_model_version(registry.name, source, run_id, description=description)
    number = str(created.version)
    client.set_model_version_tag(registry.name, number, CHECKSUM_TAG, release.checksum)
    client.set_model_version_tag(registry.name, number, RELEASE_TAG, release.name)
    client.set_registered_model_alias(registry.name, CHALLENGER, number)
    return number


def _log_model(
    client: MlflowClient, run_id: str, release: Release, features: Sequence[Column], example: pd.DataFrame
) -> None:
    """The release as an MLflow model: its ONNX graph with signature and input example, the whole release in `release/`."""
    graph = onnx.load(release.folder / ONNX_MODEL)
    rows = mlflow_rows(features, example)
    signature = infer_signature(rows, {"count": np.zeros((1, 1), np.float32)})
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / MODEL_FOLDER
        mlflow.onnx.save_model(
            graph,
            str(model),
            signature=signature,
            input_example=rows,
            pip_requirements=[f"onnxruntime=={version('onnxruntime')}"],
        )
        shutil.copytree(release.folder, model / RELEASE_FOLDER)
        client.log_artifacts(run_id, str(model), MODEL_FOLDER)


def mlflow_rows(features: Sequence[Column], rows: pd.DataFrame) -> dict[str, npt.NDArray[np.generic]]:
    """Raw features as the ONNX graph takes them: [rows, 1] arrays by name."""
    return {c.name: rows[c.name].to_numpy(NUMPY_TYPES[c.kind]).reshape(-1, 1) for c in features}


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
