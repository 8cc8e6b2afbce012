"""What the tasks' pods are given of the cluster, held against the message type that Kubeflow's driver reads it with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict, ParseError
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig

from pipelines.kubeflow.pods import given, platform_document
from pipelines.kubeflow.policies import TASKS

Config = dict[str, Any]
CLAIM = "a-claim"


@pytest.fixture(scope="module")
def written() -> dict[str, Config]:
    """Each task's configuration; the tasks' own names stand for their executors."""
    document = platform_document(CLAIM, {name: name for name in TASKS})
    executors: dict[str, Config] = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return executors


def read(config: Config) -> KubernetesExecutorConfig:
    """As the driver reads it, which refuses what it does not know. It knows one field more than the package: see `pods.py`."""
    known = copy.deepcopy(config)
    for secret in known.get("secretAsEnv", ()):
        assert secret.pop("optional") is True
    return ParseDict(known, KubernetesExecutorConfig())


def test_what_a_pod_is_given_is_all_known_to_kubeflow(written: dict[str, Config]) -> None:
    assert {name: len(read(config).ListFields()) for name, config in written.items()} == {
        "Transform": 1,
        "Trainer": 1,
        "Evaluator": 1,
        "MlflowRegistrar": 2,
        "ReleasePusher": 1,
        "RunCompletion": 1,
    }


def _a_field_of_the_task(config: Config) -> None:
    config["emptyDirMount"] = config.pop("emptyDirMounts")


def _a_field_of_a_secret(config: Config) -> None:
    config["secretAsEnv"][0]["secretname"] = config["secretAsEnv"][0].pop("secretName")


def _a_field_of_a_variable(config: Config) -> None:
    config["secretAsEnv"][0]["keyToEnv"][0]["environment"] = "X"


@pytest.mark.parametrize("mistype", [_a_field_of_the_task, _a_field_of_a_secret, _a_field_of_a_variable])
def test_a_field_that_is_mistyped_is_not_read(
    mistype: Callable[[Config], None], written: dict[str, Config]
) -> None:
    config = copy.deepcopy(written["MlflowRegistrar"])
    mistype(config)
    with pytest.raises(ParseError, match="no field named"):
        read(config)


def test_only_tasks_of_the_pipeline_are_given_something() -> None:
    assert given(CLAIM).keys() <= TASKS.keys()


def test_each_task_has_what_is_meant_for_it(written: dict[str, Config]) -> None:
    assert written["ReleasePusher"] == {"pvcMount": [{"constant": CLAIM, "mountPath": "/mnt/pedalflow"}]}
    assert written["Trainer"] == {
        "emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/tmp", "sizeLimit": "4Gi"}]
    }
    (password,) = written["MlflowRegistrar"]["secretAsEnv"]
    assert {entry["secretKey"]: entry["envVar"] for entry in password["keyToEnv"]} == {
        "username": "MLFLOW_TRACKING_USERNAME",
        "password": "MLFLOW_TRACKING_PASSWORD",
    }


def test_no_secret_has_to_be_there(written: dict[str, Config]) -> None:
    secrets = [
        secret
        for config in written.values()
        for secret in (*config.get("secretAsEnv", ()), *config.get("secretAsVolume", ()))
    ]
    assert [(secret["secretName"], secret["optional"]) for secret in secrets] == [
        ("pedalflow-mlflow", True),
        ("pedalflow-events", True),
    ]
