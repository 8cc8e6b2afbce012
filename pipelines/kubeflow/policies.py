"""What each task may use and how often it is tried, as a table; and what it is given of the cluster: secrets and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.kubeflow.compilation import EVENTS_SECRET
from pipelines.kubeflow.parameters import MOUNT

MLFLOW_SECRET, TOKEN_SECRET = "pedalflow-mlflow", "pedalflow-events"
SCRATCH = "4Gi"


@dataclass(frozen=True)
class Policy:
    """CPUs and gigabytes that a task may use (it asks for half), how often it is tried again, and whether the cache may answer for it."""

    cpus: float = 1.0
    gigabytes: float = 2.0
    retries: int = 1
    cached: bool = True


# A gate that refuses would refuse again; what talks to others is tried more often, and its effect is outside the cache.
TASKS: Mapping[str, Policy] = {
    "RunPlan": Policy(retries=0),
    "ChampionModel": Policy(gigabytes=1.0),
    "CuratedSchema": Policy(gigabytes=1.0),
    "SpanExampleGen": Policy(gigabytes=3.0),
    "StatisticsGen": Policy(gigabytes=3.0),
    "ExampleValidator": Policy(),
    "AnomalyGate": Policy(gigabytes=1.0, retries=0),
    "Transform": Policy(cpus=2.0, gigabytes=4.0),
    "Trainer": Policy(cpus=2.0, gigabytes=4.0),
    "Evaluator": Policy(cpus=2.0, gigabytes=4.0),
    "AcceptanceGate": Policy(retries=0),
    "DetectorFitter": Policy(cpus=2.0, gigabytes=3.0),
    "ReleaseBuilder": Policy(),
    "MlflowRegistrar": Policy(retries=3, cached=False),
    "ReleasePusher": Policy(retries=3, cached=False),
    "RunCompletion": Policy(gigabytes=1.0, retries=3, cached=False),
}
BACKOFF: Mapping[str, Any] = {"backoffDuration": "15s", "backoffFactor": 2.0, "backoffMaxDuration": "300s"}


def _constant(value: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": value}}


def kubernetes(claim: str) -> dict[str, dict[str, Any]]:
    """What each task's pod gets, in the layout of `KubernetesExecutorConfig` (kubernetes_platform in Kubeflow Pipelines).

    Names stand twice, since older backends read the plain field and newer ones the other. Secrets are optional: a cluster whose MLflow
    has no password needs none.
    """
    scratch = {"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": SCRATCH}
    heavy = {name: {"emptyDirMounts": [scratch]} for name in ("Transform", "Trainer", "Evaluator")}
    return {
        **heavy,
        "MlflowRegistrar": {
            "emptyDirMounts": [scratch],
            "secretAsEnv": [
                {
                    "secretName": MLFLOW_SECRET,
                    "secretNameParameter": _constant(MLFLOW_SECRET),
                    "keyToEnv": [
                        {"secretKey": "username", "envVar": "MLFLOW_TRACKING_USERNAME"},
                        {"secretKey": "password", "envVar": "MLFLOW_TRACKING_PASSWORD"},
                    ],
                    "optional": True,
                }
            ],
        },
        "ReleasePusher": {
            "pvcMount": [{"constant": claim, "pvcNameParameter": _constant(claim), "mountPath": MOUNT}]
        },
        "RunCompletion": {
            "secretAsVolume": [
                {
                    "secretName": TOKEN_SECRET,
                    "secretNameParameter": _constant(TOKEN_SECRET),
                    "mountPath": EVENTS_SECRET,
                    "optional": True,
                }
            ]
        },
    }


def platform_document(claim: str, label_of: Mapping[str, str]) -> dict[str, Any]:
    """The second document of the compiled file, by executor. `label_of` has the executor of each task."""
    executors = {label_of[task]: config for task, config in kubernetes(claim).items()}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
