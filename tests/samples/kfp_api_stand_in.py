"""A stand-in for the API of Kubeflow Pipelines (v2beta1) over real HTTP: pipelines, versions, experiments, runs and recurring runs.

What comes in and what goes out is held against the published schema: the models of `kfp_server_api` are generated from it.
It does what the real one does to who calls it, its unpleasant sides included: filters, pages, empty lists as absent fields, one
or several users, bearer tokens, names that are taken, failures that a test asks for, and a connection that breaks after something
was made.
"""

from __future__ import annotations

import itertools
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import kfp_server_api
import yaml

from tests.samples.json_server import Asked, Told, json_server

PREFIX = "/apis/v2beta1"
FINE, BREAK = (
    200,
    0,
)  # among `failures`: answer well; do what was asked and close the connection without an answer
ACCOUNT = {"service_account": "pipeline-runner"}  # what the real one fills in where none is named
Thing = dict[str, Any]


class Fault(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def held_against_schema(model: str, content: Thing) -> Thing:
    """`content`, once the published schema knows all of it; AssertionError where it does not."""
    client = kfp_server_api.ApiClient()
    read = client.deserialize(SimpleNamespace(data=json.dumps(content)), model)
    _compare(client.sanitize_for_serialization(read), content, model)
    return content


def _compare(known: Any, content: Any, place: str) -> None:
    if isinstance(content, dict):
        assert set(known) == set(content), f"{place}: the schema does not know {set(content) - set(known)}"
        for key, value in content.items():
            _compare(known[key], value, f"{place}.{key}")
    elif isinstance(content, list):
        for index, (one, other) in enumerate(zip(known, content)):
            _compare(one, other, f"{place}[{index}]")
    elif place.endswith(".state"):
        assert content in kfp_server_api.V2beta1RuntimeState.allowable_values, f"{place}: {content}"


@dataclass
class KfpApi:
    """What the API holds.

    Args:
        token: that every request has to carry; empty for none.
        several_users: whether experiments must name a namespace, as they must on a full Kubeflow, or must not.
        failures: what the next requests come to, one for each: a status, FINE or BREAK.
        delay_s: how long each answer takes.
    """

    token: str = ""
    several_users: bool = False
    address: str = ""
    pipelines: list[Thing] = field(default_factory=list)
    versions: list[Thing] = field(default_factory=list)
    experiments: list[Thing] = field(default_factory=list)
    runs: list[Thing] = field(default_factory=list)
    recurring_runs: list[Thing] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    delay_s: float = 0.0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def add_pipeline(self, name: str, namespace: str = "", versions: int = 1) -> list[str]:
        """Upload a pipeline with so many versions; their ids, the oldest first."""
        pipeline = self._made(pipeline_id="pipeline", display_name=name, namespace=namespace)
        self.pipelines.append(pipeline)
        made = [
            self._made(
                pipeline_version_id="version",
                pipeline_id=pipeline["pipeline_id"],
                display_name=f"{name} {number}",
            )
            for number in range(versions)
        ]
        self.versions += made
        return [version["pipeline_version_id"] for version in made]

    def set_state(self, run: str, state: str, **more: Any) -> None:
        """Let a run come to `state`."""
        self._one(self.runs, "run_id", run).update(state=state, **more)

    def answer(self, asked: Asked) -> Thing:
        """What one request is answered with; raises Fault, or ConnectionAbortedError where there is no answer."""
        with self._turn:
            if self.token and asked.headers.get("authorization") != f"Bearer {self.token}":
                raise Fault(401, "Unauthenticated: the bearer token is not known")
            failure = self.failures.pop(0) if self.failures else FINE
            if failure >= 400:
                raise Fault(failure, "a failure that the test asked for")
            parts = asked.path.removeprefix(PREFIX).strip("/").split("/")
            content = self._routed(asked, parts)
            if failure == BREAK:
                raise ConnectionAbortedError
            return content

    def _routed(self, asked: Asked, parts: list[str]) -> Thing:
        query, body = asked.query, asked.body
        match (asked.method, *parts):
            case ("GET", "healthz"):
                return held_against_schema("V2beta1GetHealthzResponse", {"multi_user": self.several_users})
            case ("GET", "pipelines"):
                shown = [p for p in self.pipelines if p["namespace"] == query.get("namespace", "")]
                return self._listed("pipelines", "V2beta1ListPipelinesResponse", shown, query)
            case ("POST", "pipelines"):
                return self._make_pipeline(held_against_schema("V2beta1Pipeline", body))
            case ("POST", "pipelines", "upload_version"):
                return self._upload_version(query, _uploaded(asked))
            case ("GET", "pipelines", _, "versions", version):
                found = self._one(self.versions, "pipeline_version_id", version)
                return held_against_schema("V2beta1PipelineVersion", found)
            case ("GET", "pipelines", pipeline, "versions"):
                shown = [v for v in self.versions if v["pipeline_id"] == pipeline]
                return self._listed("pipeline_versions", "V2beta1ListPipelineVersionsResponse", shown, query)
            case ("GET", "experiments"):
                self._check_namespace(query.get("namespace", ""))
                return self._listed("experiments", "V2beta1ListExperimentsResponse", self.experiments, query)
            case ("POST", "experiments"):
                return self._make_experiment(held_against_schema("V2beta1Experiment", body))
            case ("GET", "runs"):
                shown = [
                    r
                    for r in self.runs
                    if r["experiment_id"] == query.get("experiment_id", r["experiment_id"])
                ]
                return self._listed("runs", "V2beta1ListRunsResponse", shown, query)
            case ("POST", "runs"):
                return self._make_run(held_against_schema("V2beta1Run", body))
            case ("GET", "runs", run):
                return held_against_schema("V2beta1Run", self._one(self.runs, "run_id", run))
            case ("GET", "recurringruns"):
                shown = [
                    r for r in self.recurring_runs if r["experiment_id"] == query.get("experiment_id", "")
                ]
                return self._listed("recurringRuns", "V2beta1ListRecurringRunsResponse", shown, query)
            case ("POST", "recurringruns"):
                return self._make_recurring_run(held_against_schema("V2beta1RecurringRun", body))
            case ("DELETE", "recurringruns", recurring):
                self.recurring_runs.remove(self._one(self.recurring_runs, "recurring_run_id", recurring))
                return {}
        raise Fault(404, "Not Found")

    def _make_pipeline(self, body: Thing) -> Thing:
        """Without a version, as the real one."""
        if not body.get("name"):
            raise Fault(400, "Invalid input error: name is required")
        namespace = body.get("namespace", "")
        if any((p["display_name"], p["namespace"]) == (body["name"], namespace) for p in self.pipelines):
            raise Fault(409, "Already exist error: a pipeline of this name exists")
        made = self._made(pipeline_id="pipeline", **{**body, "namespace": namespace})
        self.pipelines.append(made)
        return held_against_schema("V2beta1Pipeline", made)

    def _upload_version(self, query: Thing, file: bytes) -> Thing:
        assert query.keys() <= _UPLOAD_QUERY, f"the schema does not know {query.keys() - _UPLOAD_QUERY}"
        pipeline = self._one(self.pipelines, "pipeline_id", query["pipelineid"])["pipeline_id"]
        if any((v["pipeline_id"], v["display_name"]) == (pipeline, query["name"]) for v in self.versions):
            raise Fault(409, "Already exist error: a version of this name exists")
        spec, *platform = yaml.safe_load_all(file)
        both = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
        made = self._made(
            pipeline_version_id="version",
            pipeline_id=pipeline,
            name=query["name"],
            display_name=query["name"],
            description=query.get("description", ""),
            tags=_tags(query.get("tags", "{}")),
            pipeline_spec=both,
        )
        self.versions.append(made)
        return held_against_schema("V2beta1PipelineVersion", made)

    def _make_recurring_run(self, body: Thing) -> Thing:
        self._check_reference(body)
        if len(body["trigger"]["cron_schedule"]["cron"].split()) != 6:
            raise Fault(400, "Invalid input error: the cron schedule does not have six fields")
        made = self._made(recurring_run_id="recurring", status="ENABLED", **{**ACCOUNT, **body})
        self.recurring_runs.append(made)
        return held_against_schema("V2beta1RecurringRun", made)

    def _check_namespace(self, namespace: str) -> None:
        if self.several_users and not namespace:
            raise Fault(
                400, "Invalid input error: an experiment cannot have an empty namespace in multi-user mode"
            )
        if namespace and not self.several_users:
            raise Fault(400, "Invalid input error: in single-user mode a namespace cannot be given")

    def _make_experiment(self, body: Thing) -> Thing:
        self._check_namespace(body.get("namespace", ""))
        if any(e["display_name"] == body["display_name"] for e in self.experiments):
            raise Fault(409, "Already exist error: an experiment of this name exists")
        made = self._made(experiment_id="experiment", **body)
        self.experiments.append(made)
        return held_against_schema("V2beta1Experiment", made)

    def _check_reference(self, body: Thing) -> None:
        self._one(self.experiments, "experiment_id", body["experiment_id"])
        reference = body["pipeline_version_reference"]
        version = self._one(self.versions, "pipeline_version_id", reference["pipeline_version_id"])
        if version["pipeline_id"] != reference["pipeline_id"]:
            raise Fault(400, "Invalid input error: the version belongs to another pipeline")

    def _make_run(self, body: Thing) -> Thing:
        self._check_reference(body)
        made = self._made(run_id="run", state="PENDING", storage_state="AVAILABLE", **{**ACCOUNT, **body})
        self.runs.append(made)
        return held_against_schema("V2beta1Run", made)

    def _made(self, **content: Any) -> Thing:
        """A thing with an id of its kind, whose first field names it, and the time it was made at."""
        number = next(self._numbers)
        key = next(iter(content))
        created = f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
        return {**content, key: f"{content[key]}-{number}", "created_at": created}

    def _one(self, things: list[Thing], key: str, value: str) -> Thing:
        for thing in things:
            if thing[key] == value:
                return thing
        raise Fault(404, f"ResourceNotFoundError: {key} {value} not found")

    def _listed(self, name: str, model: str, things: list[Thing], query: dict[str, str]) -> Thing:
        found = [thing for thing in things if _matches(thing, query.get("filter", ""))]
        by, _, direction = query.get("sort_by", "created_at").partition(" ")
        found.sort(key=lambda thing: thing[by], reverse=direction == "desc")
        begin, size = int(query.get("page_token") or 0), int(query.get("page_size") or 20)
        page = found[begin : begin + size]
        content: Thing = {name: page, "total_size": len(found)} if page else {}
        if begin + size < len(found):
            content["next_page_token"] = str(begin + size)
        return held_against_schema(model, content)


_UPLOAD = kfp_server_api.PipelineUploadServiceApi.upload_pipeline_version
_UPLOAD_QUERY = set(re.findall(r":param (\w+):", str(_UPLOAD.__doc__)))


def _uploaded(asked: Asked) -> bytes:
    """The one file of a form. Raises Fault where there is none, or under another name than the server looks for."""
    border = asked.headers["content-type"].partition("boundary=")[2].encode()
    parts = [part for part in asked.body.split(b"--" + border) if b"\r\n\r\n" in part]
    head, _, content = parts[0].partition(b"\r\n\r\n")
    if len(parts) != 1 or b'name="uploadfile"; filename="' not in head:
        raise Fault(400, "Failed to read pipeline from file")
    return bytes(content.removesuffix(b"\r\n"))


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = json.loads(text)
    if len(tags) > 20 or any(len(word) > 63 for pair in tags.items() for word in pair):
        raise Fault(400, "Invalid input error: there are too many tags, or a tag is too long")
    return tags


def _matches(thing: Thing, filter_text: str) -> bool:
    predicates = held_against_schema("V2beta1Filter", json.loads(filter_text or "{}")).get("predicates", [])
    return all(_OPERATIONS[p["operation"]](thing[p["key"]], p["string_value"]) for p in predicates)


_OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "IS_SUBSTRING": lambda value, wanted: wanted in value,
}


@contextmanager
def kfp_api(api: KfpApi, certificate: ssl.SSLContext | None = None) -> Iterator[KfpApi]:
    """Serve `api` on a port of its own, over TLS where there is a certificate."""

    def reply(asked: Asked) -> Told | None:
        time.sleep(api.delay_s)
        try:
            return Told(api.answer(asked))
        except ConnectionAbortedError:
            return None
        except Fault as fault:
            return Told({"error": str(fault), "code": 2, "message": str(fault), "details": []}, fault.status)
        except Exception as error:
            return Told({"message": f"fault of the stand-in or of the request: {error!r}"}, 501)

    with json_server(reply, certificate) as api.address:
        yield api
