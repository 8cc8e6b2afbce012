"""Calls to Kubeflow Pipelines' API through its own SDK, each with a time limit, and its errors as ours."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import kfp
import kfp_server_api
import urllib3
from kfp.client.token_credentials_base import TokenCredentialsBase

from triggers.errors import LaunchLater, LaunchStopped
from triggers.launchers.launcher_settings import KubeflowSettings
from triggers.launchers.remote import refusal, said_in, token_from

# Any namespace but the SDK's default keeps its constructor from asking the server, which it does five times without a time limit,
# and from reading and writing a file in the home folder. The calls below say themselves which namespace they mean.
_NO_QUESTIONS = "-"


class FileToken(TokenCredentialsBase):  # type: ignore[misc]  # kfp is untyped
    """Gives every request the token that the file holds at that moment."""

    def __init__(self, settings: KubeflowSettings) -> None:
        self._path = settings.token_file

    def refresh_api_key_hook(self, config: Any) -> None:
        """What the SDK calls before each request."""
        if self._path is not None:
            config.api_key["authorization"] = token_from(self._path)


class KubeflowClient:
    """The few calls that a launcher needs. All raise LaunchLater or LaunchStopped."""

    def __init__(self, settings: KubeflowSettings) -> None:
        self._settings = settings
        self._time_limits = (settings.timeout_s, settings.timeout_s)  # to connect, to read
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the SDK greets each use with one
            self._client = kfp.Client(
                host=settings.host,
                namespace=settings.namespace or _NO_QUESTIONS,
                credentials=FileToken(settings) if settings.token_file else None,
                ssl_ca_cert=str(settings.ca_file) if settings.ca_file else None,
                verify_ssl=settings.verify_tls,
            )

    def pipeline_id(self, name: str) -> str | None:
        """The id of the pipeline with this name: the namespace's own, else the one that all share."""
        for namespace in dict.fromkeys((self._settings.namespace, "")):
            answer = self._call(
                f"looking for the pipeline {name}",
                self._client.pipelines.pipeline_service_list_pipelines,
                namespace=namespace,
                filter=_named(name),
            )
            if answer.pipelines:
                return _known(answer.pipelines[0].pipeline_id)
        return None

    def newest_version(self, pipeline: str) -> str | None:
        """The id of the version that was uploaded last."""
        answer = self._call(
            "looking for the pipeline's newest version",
            self._client.pipelines.pipeline_service_list_pipeline_versions,
            pipeline,
            sort_by="created_at desc",
            page_size=1,
        )
        return _known(answer.pipeline_versions[0].pipeline_version_id) if answer.pipeline_versions else None

    def experiment_id(self, name: str) -> str | None:
        """The id of the experiment with this name."""
        answer = self._call(
            f"looking for the experiment {name}",
            self._client.experiments.experiment_service_list_experiments,
            namespace=self._settings.namespace,
            filter=_named(name),
        )
        return _known(answer.experiments[0].experiment_id) if answer.experiments else None

    def make_experiment(self, name: str) -> str:
        """Make an experiment and return its id."""
        experiment = kfp_server_api.V2beta1Experiment(
            display_name=name, namespace=self._settings.namespace or None
        )
        create = self._client.experiments.experiment_service_create_experiment
        return _known(self._call(f"making the experiment {name}", create, experiment).experiment_id)

    def first_run(self, experiment: str, name: str) -> Any | None:
        """The oldest run of this name in the experiment."""
        answer = self._call(
            f"looking for the run {name}",
            self._client.runs.run_service_list_runs,
            experiment_id=experiment,
            filter=_named(name),
            sort_by="created_at",
        )
        return answer.runs[0] if answer.runs else None

    def run(self, run: str) -> Any:
        """A run as the API describes it."""
        return self._call(f"looking at the run {run}", self._client.runs.run_service_get_run, run)

    def make_run(
        self, name: str, experiment: str, pipeline: str, version: str, arguments: dict[str, Any]
    ) -> str:
        """Start a run and return its id."""
        body = kfp_server_api.V2beta1Run(
            display_name=name,
            experiment_id=experiment,
            pipeline_version_reference=kfp_server_api.V2beta1PipelineVersionReference(
                pipeline_id=pipeline, pipeline_version_id=version
            ),
            runtime_config=kfp_server_api.V2beta1RuntimeConfig(parameters=arguments),
            service_account=self._settings.service_account or None,
        )
        made = self._call(f"starting the run {name}", self._client.runs.run_service_create_run, body)
        return _known(made.run_id)

    def _call(self, doing: str, function: Callable[..., Any], *positional: Any, **named: Any) -> Any:
        what = f"Kubeflow Pipelines at {self._settings.host}: {doing}"
        asked = {name: value for name, value in named.items() if value != ""}
        try:
            return function(*positional, **asked, _request_timeout=self._time_limits)
        except kfp_server_api.ApiException as error:
            raise refusal(what, error.status, said_in(error.body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise _unreached(what, error) from error


def _unreached(what: str, error: urllib3.exceptions.HTTPError) -> LaunchLater | LaunchStopped:
    if isinstance(getattr(error, "reason", error), urllib3.exceptions.SSLError):
        return LaunchStopped(
            f"{what}: there is no trusted TLS connection ({error}); look at `host` and `ca_file` of the launcher"
        )
    return LaunchLater(f"{what} got no answer ({type(error).__name__}: {error})")


def _named(name: str) -> str:
    """The API's filter for things with exactly this name."""
    return json.dumps({"predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": name}]})


def _known(identity: object) -> str:
    if not isinstance(identity, str) or not identity:
        raise LaunchStopped(
            "Kubeflow Pipelines answered without an id; is a login page in front of it, or is `host` another service?"
        )
    return identity
