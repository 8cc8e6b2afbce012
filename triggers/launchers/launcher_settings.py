"""The settings of the launchers: which one does what, and what each of them needs to know. Tokens come from files only."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from triggers.policy import Action


class Name(str, Enum):
    """The launchers that there are."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"
    GITHUB = "github"
    CLOUD_BUILD = "cloud-build"


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return text.rstrip("/")


def _bucket_folders(buckets: dict[str, Path]) -> dict[str, Path]:
    for bucket, folder in buckets.items():
        if not bucket or "/" in bucket:
            raise ValueError(f"{bucket!r} is no name of a bucket")
        if not folder.is_absolute():
            raise ValueError(f"the folder of bucket {bucket} must be an absolute path, not {folder}")
    return buckets


def _passed_by_default() -> dict[OrderPart, str]:
    return {"reason": "reason", "key": "idempotency_key"}


OrderPart = Literal["reason", "key", "objects", "commit"]
Address = Annotated[str, AfterValidator(_address)]
Seconds = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LocalSettings(_Strict):
    """Runs on this machine."""

    command: tuple[str, ...] = Field(
        default=(),
        description="How to call `pedalflow`, word by word; empty: with the interpreter of this service.",
    )
    buckets: Annotated[dict[str, Path], AfterValidator(_bucket_folders)] = Field(
        default_factory=dict,
        description="The folder in which each bucket lies on this machine; objects of other buckets are refused.",
    )
    marker: str = Field(
        default="_SUCCESS",
        description="The object that says that an upload is complete; what is taken in is every *.csv beside it.",
    )
    rollout_options: tuple[str, ...] = Field(
        default=(), description="Further options for `pedalflow rollout`, word by word."
    )
    timeout_s: Seconds = Field(
        default=3600.0, description="How long a run may take, in seconds; then it is stopped and has failed."
    )
    stop_s: Seconds = Field(
        default=20.0,
        description="How long a run that is asked to stop may take for it, in seconds, before it is killed.",
    )
    busy_wait_s: Seconds = Field(
        default=900.0,
        description="How long a run waits for another training or rollout in the workspace to end, in seconds.",
    )
    busy_retry_s: Seconds = Field(
        default=10.0, description="How often it looks meanwhile whether that has ended, in seconds."
    )
    keep_days: Annotated[float, Field(gt=0)] = Field(
        default=90.0,
        description="Days after which the folder of a run that is over is removed, when another run is started.",
    )


class _Remote(_Strict):
    """What every launcher that speaks HTTP has."""

    timeout_s: Seconds = Field(default=20.0, description="How long one request may take, in seconds.")
    run_s: Seconds = Field(
        default=21600.0,
        description="How long a run may take, in seconds; then it counts as failed, though nobody stops it there.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="Certificates that the server's is checked with; none: the usual authorities.",
    )


class KubeflowSettings(_Remote):
    """Runs of a pipeline that was uploaded to Kubeflow Pipelines."""

    host: Address = Field(
        description="Address of the API, for example http://ml-pipeline.kubeflow.svc.cluster.local:8888."
    )
    ui_host: Annotated[str, AfterValidator(lambda text: _address(text) if text else "")] = Field(
        default="", description="Address of the pages that people look at; empty: the same as the API's."
    )
    pipeline: str = Field(min_length=1, description="Name of the uploaded pipeline.")
    version: str = Field(
        default="newest", min_length=1, description="Id of the pipeline's version that is run, or `newest`."
    )
    experiment: str = Field(
        default="retraining",
        min_length=1,
        description="Experiment that the runs belong to; made if it is missing.",
    )
    namespace: str = Field(
        default="",
        description="Profile namespace of a Kubeflow with several users; empty where there is one user.",
    )
    parameters: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="Arguments of the pipeline that are the same in every run."
    )
    arguments_file: Path | None = Field(
        default=None,
        description=(
            "JSON object with further arguments of the pipeline, such as the newest window, read again at every start; "
            "`parameters` and `order_parameters` go before it."
        ),
    )
    order_parameters: dict[OrderPart, str] = Field(
        default_factory=_passed_by_default,
        description=(
            "Which argument of the pipeline gets which part of the order: `reason`, `key`, `objects` (a list as JSON text), "
            "`commit`. A part that is not named, or whose name is empty, is not passed."
        ),
    )
    service_account: str = Field(
        default="",
        description="Service account of Kubernetes that the run's pods use; empty: the cluster's default.",
    )
    token_file: Path | None = Field(
        default=None,
        description="File with the bearer token, read again at every request; none: no token is sent.",
    )
    verify_tls: bool = Field(default=True, description="Whether the server's certificate is checked.")


class GithubSettings(_Remote):
    """`repository_dispatch` events for a workflow on GitHub."""

    api: Address = Field(default="https://api.github.com", description="Address of GitHub's REST API.")
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$", description="owner/name of the repository.")
    event_type: str = Field(
        default="retrain", min_length=1, max_length=100, description="Type that the workflow listens for."
    )
    take_in_event_type: str = Field(
        default="take-in",
        min_length=1,
        max_length=100,
        description="Type that the workflow listens for which takes uploaded objects in first.",
    )
    marker: str = Field(
        default="_SUCCESS",
        description="The object that says that an upload is complete; the workflow is told of every *.csv beside it.",
    )
    token_file: Path = Field(
        description="File with a token that may write contents and read actions; read again at every request."
    )


class CloudBuildSettings(_Remote):
    """Runs of a trigger of Google Cloud Build."""

    api: Address = Field(
        default="https://cloudbuild.googleapis.com", description="Address of Cloud Build's REST API."
    )
    project: str = Field(pattern=r"^[\w:.-]+$", description="Id of the Google Cloud project.")
    location: str = Field(
        default="global", pattern=r"^[\w-]+$", description="Region of the trigger, or `global`."
    )
    trigger: str = Field(pattern=r"^[\w-]+$", description="Id of the trigger.")
    branch: str = Field(
        default="main", min_length=1, description="Branch that is built where the reasons name no commit."
    )
    token_file: Path = Field(description="File with an access token; read again at every request.")


class LaunchersSettings(_Strict):
    """Which launcher carries out which action of the policy, and the settings of those that are used."""

    retrain: Name = Field(default=Name.LOCAL, description="Launcher for retraining the deployed pipeline.")
    take_in: Name = Field(
        default=Name.LOCAL, description="Launcher for taking in data first, then retraining."
    )
    rebuild: Name = Field(default=Name.LOCAL, description="Launcher for rebuilding and retraining.")
    local: LocalSettings = Field(default_factory=LocalSettings, description="Runs on this machine.")
    kubeflow: KubeflowSettings | None = Field(default=None, description="Runs on Kubeflow Pipelines.")
    github: GithubSettings | None = Field(default=None, description="Dispatches to a workflow on GitHub.")
    cloud_build: CloudBuildSettings | None = Field(default=None, description="Runs of a Cloud Build trigger.")

    @property
    def by_action(self) -> dict[Action, Name]:
        """The launcher of every action that starts something."""
        return {Action.RETRAIN: self.retrain, Action.TAKE_IN: self.take_in, Action.REBUILD: self.rebuild}

    @model_validator(mode="after")
    def _each_has_its_settings(self) -> LaunchersSettings:
        given = {Name.KUBEFLOW: self.kubeflow, Name.GITHUB: self.github, Name.CLOUD_BUILD: self.cloud_build}
        for action, name in self.by_action.items():
            if name in given and given[name] is None:
                raise ValueError(f"{name.value} is to {action.value}, but has no settings of its own")
        return self
