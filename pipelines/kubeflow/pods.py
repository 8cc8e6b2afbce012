"""What the tasks' pods are given of the cluster, as a table of kfp-kubernetes' calls: secrets, the volume for releases, scratch space.

The package puts such things on tasks of Kubeflow's own SDK, while it is TFX that compiles our pipeline. So the tasks that get something
stand once more in a pipeline that never runs; Kubeflow's compiler writes the document for it, and we key that by our own executors.
"""

# Annotations are not postponed here: Kubeflow's SDK looks at that of the component below.
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from google.protobuf.json_format import MessageToDict
from kfp import dsl, kubernetes

from pipelines.kubeflow.compilation import EVENTS_SECRET
from pipelines.kubeflow.parameters import MOUNT

Give = Callable[[dsl.PipelineTask], object]
MLFLOW_SECRET, TOKEN_SECRET = "pedalflow-mlflow", "pedalflow-events"
NEVER_RUN = "stands-in"

_SCRATCH = partial(kubernetes.empty_dir_mount, volume_name="scratch", mount_path="/tmp", size_limit="4Gi")
_MLFLOW = partial(
    kubernetes.use_secret_as_env,
    secret_name=MLFLOW_SECRET,
    secret_key_to_env={"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"},
)
_TOKEN = partial(
    kubernetes.use_secret_as_volume, secret_name=TOKEN_SECRET, mount_path=EVENTS_SECRET, optional=True
)


def given(claim: str) -> Mapping[str, tuple[Give, ...]]:
    """What each task is given; those that are not here are given nothing. `claim` is the volume claim that releases are pushed to."""
    releases = partial(kubernetes.mount_pvc, pvc_name=claim, mount_path=MOUNT)
    return {
        "Transform": (_SCRATCH,),
        "Trainer": (_SCRATCH,),
        "Evaluator": (_SCRATCH,),
        "MlflowRegistrar": (_SCRATCH, _MLFLOW),
        "ReleasePusher": (releases,),
        "RunCompletion": (_TOKEN,),
    }


def platform_document(claim: str, label_of: Mapping[str, str]) -> dict[str, Any]:
    """The second document of the compiled file, by executor. `label_of` has the executor of each task."""
    executors = {label_of[task]: config for task, config in _written_by_kubeflow(given(claim)).items()}
    for config in executors.values():
        _let_secrets_be_absent(config)
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _written_by_kubeflow(gifts: Mapping[str, tuple[Give, ...]]) -> dict[str, dict[str, Any]]:
    """What Kubeflow's compiler writes for these tasks, by their names in our pipeline."""
    names: dict[str, str] = {}

    @dsl.pipeline(name=NEVER_RUN)
    def stand_in() -> None:
        for name, gives in gifts.items():
            task = _container(name)()
            names[task.name] = name
            for give in gives:
                give(task)

    components, tasks = stand_in.pipeline_spec.components, stand_in.pipeline_spec.root.dag.tasks
    configs = MessageToDict(stand_in.platform_spec.platforms["kubernetes"])["deploymentSpec"]["executors"]
    return {
        name: configs[components[tasks[task].component_ref.name].executor_label]
        for task, name in names.items()
    }


def _container(name: str) -> Callable[[], dsl.PipelineTask]:
    """A component of this name, with nothing in it."""

    def component() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image=NEVER_RUN)

    component.__name__ = name
    made: Callable[[], dsl.PipelineTask] = dsl.container_component(component)
    return made


def _let_secrets_be_absent(config: dict[str, Any]) -> None:
    """A cluster whose MLflow asks for no password has no such secret, and a pod that must have one would never start.

    Kubeflow knows this field for variables since 2.15; the kfp-kubernetes that fits TFX knows it for volumes only.
    """
    for secret in config.get("secretAsEnv", ()):
        secret["optional"] = True
