"""The calls of Kubeflow Pipelines' API that deploying and submitting need, in its own terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pedalflow.errors import SettingsError
from pipelines.kubeflow.api import Api, Json
from pipelines.kubeflow.api_errors import NotThere


@dataclass(frozen=True)
class Version:
    """A version of a pipeline on the server."""

    pipeline_id: str
    version_id: str
    name: str
    spec: Mapping[str, Any]


class Kubeflow:
    """One server. Its calls raise what `Api` raises."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._namespace = api.connection.namespace

    def pipeline(self, name: str, *, shared: bool = False) -> str | None:
        """The id of the namespace's pipeline of this name; with `shared` that of the one that all namespaces share, where it has none."""
        for namespace in dict.fromkeys((self._namespace, "")) if shared else (self._namespace,):
            doing = f"looking for the pipeline {name}"
            answer = self._api.get(doing, "/pipelines", namespace=namespace, filter=_named(name))
            for found in answer.get("pipelines", ()):
                return _known(found, "pipeline_id")
        return None

    def make_pipeline(self, name: str) -> str:
        """Make a pipeline without a version: an upload would name its first version after the pipeline."""
        body = {"name": name, "display_name": name, **self._in_namespace()}
        return _known(self._api.post(f"making the pipeline {name}", "/pipelines", body), "pipeline_id")

    def version_named(self, pipeline_id: str, name: str) -> Version | None:
        """The version of this name."""
        path = f"/pipelines/{pipeline_id}/versions"
        answer = self._api.get(f"looking for the version {name}", path, filter=_named(name))
        return next(map(_version, answer.get("pipeline_versions", ())), None)

    def version(self, pipeline_id: str, version_id: str) -> Version | None:
        """The version with this id."""
        path = f"/pipelines/{pipeline_id}/versions/{quote(version_id, safe='')}"
        try:
            return _version(self._api.get(f"looking for the version {version_id}", path))
        except NotThere:
            return None

    def newest_version(self, pipeline_id: str) -> Version | None:
        """The version that was uploaded last."""
        path = f"/pipelines/{pipeline_id}/versions"
        doing = "looking for the pipeline's newest version"
        answer = self._api.get(doing, path, sort_by="created_at desc", page_size=1)
        return next(map(_version, answer.get("pipeline_versions", ())), None)

    def upload_version(
        self, pipeline_id: str, name: str, file: bytes, tags: Mapping[str, str], what: str
    ) -> Version:
        """Add a version. A server that knows no tags ignores them."""
        query = {"pipelineid": pipeline_id, "name": name, "description": what, "tags": json.dumps(dict(tags))}
        doing = f"uploading the version {name}"
        return _version(self._api.upload(doing, "/pipelines/upload_version", file, query))

    def experiment(self, name: str) -> str | None:
        """The id of the experiment of this name."""
        doing = f"looking for the experiment {name}"
        answer = self._api.get(doing, "/experiments", namespace=self._namespace, filter=_named(name))
        return next((_known(found, "experiment_id") for found in answer.get("experiments", ())), None)

    def make_experiment(self, name: str) -> str:
        """Make an experiment."""
        body = {"display_name": name, **self._in_namespace()}
        return _known(self._api.post(f"making the experiment {name}", "/experiments", body), "experiment_id")

    def run_named(self, experiment_id: str, name: str) -> Json | None:
        """The oldest run of this name."""
        answer = self._api.get(
            f"looking for the run {name}",
            "/runs",
            experiment_id=experiment_id,
            filter=_named(name),
            sort_by="created_at",
        )
        return next(iter(answer.get("runs", ())), None)

    def run(self, run_id: str) -> Json:
        """A run as it stands."""
        return self._api.get(f"looking at the run {run_id}", f"/runs/{run_id}")

    def make_run(self, body: Json) -> Json:
        """Start a run."""
        return self._api.post(f"starting the run {body['display_name']}", "/runs", body)

    def recurring_runs(self, experiment_id: str, name: str) -> list[Json]:
        """All recurring runs of this name, the oldest first."""
        answer = self._api.get(
            f"looking for the recurring run {name}",
            "/recurringruns",
            experiment_id=experiment_id,
            filter=_named(name),
            sort_by="created_at",
            page_size=100,
        )
        return list(answer.get("recurringRuns", ()))

    def make_recurring_run(self, body: Json) -> Json:
        """Make a recurring run."""
        return self._api.post(f"making the recurring run {body['display_name']}", "/recurringruns", body)

    def delete_recurring_run(self, recurring_run_id: str) -> None:
        """Remove a recurring run; the runs that it started stay. One that is gone is no error."""
        try:
            self._api.delete("removing a recurring run", f"/recurringruns/{recurring_run_id}")
        except NotThere:
            return

    def page_of(self, run_id: str) -> str:
        """The page of a run, for people."""
        return f"{self._api.connection.host}/#/runs/details/{run_id}"

    def _in_namespace(self) -> dict[str, str]:
        return {"namespace": self._namespace} if self._namespace else {}


def _version(found: Json) -> Version:
    """A file of two documents comes back as one object with both."""
    spec: Json = found.get("pipeline_spec") or {}
    return Version(
        _known(found, "pipeline_id"),
        _known(found, "pipeline_version_id"),
        str(found.get("display_name") or found.get("name")),
        spec.get("pipeline_spec", spec),
    )


def _named(name: str) -> str:
    """The API's filter for things with exactly this name."""
    return json.dumps({"predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": name}]})


def _known(found: Json, key: str) -> str:
    identity = found.get(key)
    if not isinstance(identity, str) or not identity:
        raise SettingsError(
            "Kubeflow Pipelines answered without an id; is --host another service, or a login page in front of it?"
        )
    return identity
