"""A stand-in, on one machine, for Seldon's executor: the service orchestrator that runs the graph in a cluster.

It stands at the edge of the machine and does what the executor does in a SeldonDeployment whose graph is an outlier detector
(TRANSFORMER) above a predictor (MODEL) with a request logger, so that the classes behind it see the same requests as in a
cluster:

- it gives a request without the header `Seldon-Puid` one, and says it in the answer's headers;
- it posts the message to the transformer's `/transform-input`, and what comes back verbatim to the predictor's `/predict`;
- where a canary runs beside the predictor, it answers its share of the requests instead (`serving.traffic`);
- it hands on the caller's headers, and returns status and body verbatim; an answer other than 200 ends the chain;
- it posts what the predictor gets and says, and feedback that it takes, to the event services, as `serving.event_logger` describes;
- it exports the executor's histograms, `seldon_api_executor_server_requests_seconds` and `…_client_requests_seconds`.

Where it differs: a part that is down costs a 503 with a sentence (the executor says 500); bodies have a limit; the explainer,
which has its own address in a cluster, answers here on `/api/v1.0/explanations`; gRPC callers reach the predictor directly on its
own port; there are no routers, combiners or shadows. In a cluster the ingress splits the traffic, by chance and before the graph; here the
request's id decides, behind the outlier detector, which both sides share. A request that the canary does not answer is answered by the
predictor, where a cluster returns the error. It is not made for any other graph, nor for production.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from gunicorn.app.base import BaseApplication
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from urllib3.exceptions import HTTPError, ProtocolError, TimeoutError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from pedalflow.command.exits import code_for
from pedalflow.errors import SettingsError
from serving.event_logger import Event, EventLogger, Kind, Origin, Outcome
from serving.settings import read_settings, setting
from serving.telemetry import Metric
from serving.traffic import Traffic, goes_to_canary

logger = logging.getLogger(__name__)

PUID = "Seldon-Puid"
JSON = "application/json"
# Names, labels and buckets are the executor's own, so that its dashboards and alerts read these histograms too.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_GRAPH_LABELS = ("deployment_name", "predictor_name", "predictor_version", "service")
SERVER = Metric(
    "seldon_api_executor_server_requests_seconds",
    "histogram",
    (*_GRAPH_LABELS, "method", "code"),
    "Seconds that requests to the graph took.",
)
CLIENT = Metric(
    "seldon_api_executor_client_requests_seconds",
    "histogram",
    (*_GRAPH_LABELS, "model_name", "model_image", "model_version", "method", "code"),
    "Seconds that the parts of the graph took to answer.",
)
EVENTS = Metric(
    "pedalflow_executor_events_total",
    "counter",
    ("outcome",),
    "Events of the request logger: sent, refused (it cannot be read), or lost: queue_full, unreachable, failed (5xx, 408, 425, 429).",
)
METRICS = (SERVER, CLIENT, EVENTS)
# Not handed on: they belong to one connection, or are set anew for the next one.
ONE_HOP = frozenset(
    {
        *("connection", "content-length", "content-type", "expect", "host", "keep-alive", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)


@dataclass(frozen=True)
class ExecutorSettings:
    """The settings of the stand-in, each one an option of its command line."""

    predictor: str = setting("Address of the predictor.", "http://127.0.0.1:9001")
    outliers: str = setting("Address of the outlier detector; empty: the graph has none.", "")
    explainer: str = setting("Address of the explainer; empty: there is none.", "")
    canary: str = setting("Address of the canary, a second predictor; empty: there is none.", "")
    traffic: str = setting(
        "File that says which share of the requests the canary answers; empty, missing or broken: none.", ""
    )
    events: str = setting("Where the logger posts its CloudEvents; empty: it logs nothing.", "")
    host: str = setting("Address to listen on.", "127.0.0.1")
    port: int = setting("Port to listen on.", 9000, low=1, high=65535)
    threads: int = setting("Requests at a time.", 16, low=1)
    timeout_s: float = setting("Seconds that a part has to answer.", 10.0, low=0.01)
    body_limit_bytes: int = setting("Longest body that is taken; a longer one is a 413.", 4 * 2**20, low=1)
    deployment: str = setting("Name of the deployment, in metrics and events.", "pedalflow")
    namespace: str = setting("Namespace, in events.", "local")
    predictor_name: str = setting("Name of the graph, in metrics and events.", "main")
    predictor_version: str = setting("Version of the graph, in metrics.", "")
    log_senders: int = setting("Threads that post events.", 5, low=1)
    log_queue: int = setting("Events that wait to be posted.", 100, low=1)
    log_patience_s: float = setting(
        "An event that finds the queue full is dropped after so many seconds.", 2.0, low=0
    )
    log_retry_s: float = setting(
        "Seconds that an event service which does not answer is tried again.", 10.0, low=0
    )
    log_level: str = setting(
        "What its own log holds.", "warning", choices=("debug", "info", "warning", "error")
    )


@dataclass(frozen=True)
class Message:
    """A body and what it is."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Answer:
    """What goes back to the caller; `came` is False where it stands for a part that did not answer."""

    status: int
    message: Message
    came: bool = True


@dataclass(frozen=True)
class Node:
    """One part of the graph, by the name that metrics have for it."""

    name: str
    address: str


class ExecutorMetrics:
    """The executor's histograms, and what became of the logger's events."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self.registry = CollectorRegistry()
        self._graph = (settings.deployment, settings.predictor_name, settings.predictor_version)
        self._server, self._client = (
            Histogram(metric.name, metric.help, metric.labels, buckets=BUCKETS, registry=self.registry)
            for metric in (SERVER, CLIENT)
        )
        self._events = Counter(EVENTS.name, EVENTS.help, EVENTS.labels, registry=self.registry)

    def server(self, service: str, method: str, code: int, seconds: float) -> None:
        """One request to the graph."""
        self._server.labels(*self._graph, service, method, str(code)).observe(seconds)

    def client(self, path: str, node: str, code: str, seconds: float) -> None:
        """One call to a part; the method is always POST."""
        self._client.labels(*self._graph, path, node, "", "", "post", code).observe(seconds)

    def event(self, outcome: Outcome) -> None:
        """One event that was posted or dropped."""
        self._events.labels(outcome.value).inc()


class Parts:
    """The clients of the graph's parts: kept-alive connections, one limit of time."""

    def __init__(self, settings: ExecutorSettings, metrics: ExecutorMetrics) -> None:
        self._metrics = metrics
        self._timeout_s = settings.timeout_s
        self._pool = urllib3.PoolManager(
            maxsize=settings.threads, retries=False, timeout=urllib3.Timeout(settings.timeout_s)
        )

    def post(self, node: Node, path: str, message: Message, headers: Mapping[str, str]) -> Answer:
        """Post a message to a part; one that does not answer is a 503."""
        begun = time.perf_counter()
        try:
            got = self._sent(node.address + path, message, {**headers, "Content-Type": message.content_type})
        except HTTPError as error:
            answer = self._down(node, error)
        else:
            answer = Answer(got.status, Message(got.data, got.headers.get("Content-Type", JSON)))
        self._metrics.client(path, node.name, str(answer.status), time.perf_counter() - begun)
        return answer

    def alive(self, node: Node) -> bool:
        """Whether a part answers its health check."""
        try:
            return self._pool.request("GET", node.address + "/health/ping", timeout=1.0).status == 200
        except HTTPError:
            return False

    def _sent(self, url: str, message: Message, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """A kept-alive connection may close just when it is used again, before the part has read anything: a new one is tried once."""
        try:
            return self._pool.request("POST", url, body=message.body, headers=headers)
        except ProtocolError as error:
            logger.info("%s closed a connection, trying again: %s", url, error)
            return self._pool.request("POST", url, body=message.body, headers=headers)

    def _down(self, node: Node, error: HTTPError) -> Answer:
        logger.warning("%s at %s: %s", node.name, node.address, error)
        reason = "PART_DOWN"
        said = (
            "does not answer; it is starting or has stopped: try again in a few seconds, then look at its log"
        )
        if isinstance(error, TimeoutError) and not isinstance(error, urllib3.exceptions.NewConnectionError):
            reason = "PART_TIMED_OUT"
            said = f"did not answer within {self._timeout_s:g} s; send fewer rows, or look at its log"
        answer = failure(503, reason, f"the {node.name} at {node.address} {said}")
        return dataclasses.replace(answer, came=False)


class Graph:
    """Outlier detector above predictor and canary, with a request logger at these, and the explainer beside them."""

    def __init__(self, settings: ExecutorSettings, parts: Parts, log: EventLogger | None) -> None:
        self._parts = parts
        self._log = log
        self._traffic = Traffic(Path(settings.traffic)) if settings.traffic else None
        self._predictor = Node("predictor", settings.predictor)
        self._canary = Node("canary", settings.canary) if settings.canary else None
        self._outliers = Node("outliers", settings.outliers) if settings.outliers else None
        self._explainer = Node("explainer", settings.explainer) if settings.explainer else None

    def predict(self, message: Message, headers: Mapping[str, str]) -> Answer:
        """Through the whole graph."""
        if self._outliers is not None:
            judged = self._parts.post(self._outliers, "/transform-input", message, headers)
            if judged.status != 200:
                return judged
            message = judged.message
        self._say(Kind.REQUEST, message, headers)
        answer = self._predicted(message, headers)
        if answer.status == 200:
            self._say(Kind.RESPONSE, answer.message, headers)
        return answer

    def feedback(self, message: Message, headers: Mapping[str, str]) -> Answer:
        """Labels that arrived later: given to the predictor, and logged where it takes them.

        Those of the canary's answers too: its share may be another one by then, and labels find their answer by the request's id.
        """
        answer = self._parts.post(self._predictor, "/send-feedback", message, headers)
        if answer.status == 200:
            self._say(Kind.FEEDBACK, message, headers)
        return answer

    def explain(self, message: Message, headers: Mapping[str, str]) -> Answer:
        """Straight to the explainer, which in a cluster has its own address."""
        if self._explainer is None:
            return failure(404, "NO_EXPLAINER", "no explainer runs here; start it with the others")
        return self._parts.post(self._explainer, "/api/v1.0/explain", message, headers)

    def unready(self) -> list[str]:
        """The parts of the graph that do not answer."""
        nodes = [node for node in (self._outliers, self._predictor) if node is not None]
        return [f"the {node.name} at {node.address}" for node in nodes if not self._parts.alive(node)]

    def _predicted(self, message: Message, headers: Mapping[str, str]) -> Answer:
        """By the side that the request belongs to; where the canary does not answer, by the predictor."""
        if self._canary is not None and self._is_canarys(headers[PUID]):
            answer = self._parts.post(self._canary, "/predict", message, headers)
            if answer.came:
                return answer
        return self._parts.post(self._predictor, "/predict", message, headers)

    def _is_canarys(self, request_id: str) -> bool:
        return self._traffic is not None and goes_to_canary(request_id, self._traffic.percent)

    def _say(self, kind: Kind, message: Message, headers: Mapping[str, str]) -> None:
        if self._log is not None:
            self._log.log(Event(kind, headers[PUID], message.content_type, message.body))


class ExecutorStandIn:
    """The WSGI application."""

    def __init__(self, settings: ExecutorSettings, metrics: ExecutorMetrics, graph: Graph) -> None:
        self._limit = settings.body_limit_bytes
        self._metrics = metrics
        self._graph = graph
        self._pages: dict[str, Callable[[], Response]] = {
            "/live": lambda: Response("live\n"),
            "/ready": self._ready,
            "/prometheus": self._prometheus,
        }
        self._services: dict[str, tuple[str, Callable[[Message, Mapping[str, str]], Answer]]] = {
            "/api/v1.0/predictions": ("predictions", graph.predict),
            "/api/v0.1/predictions": ("predictions", graph.predict),
            "/predict": ("predictions", graph.predict),
            "/api/v1.0/feedback": ("feedback", graph.feedback),
            "/api/v0.1/feedback": ("feedback", graph.feedback),
            "/api/v1.0/explanations": ("explanations", graph.explain),
            "/api/v1.0/explain": ("explanations", graph.explain),
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """One request, as WSGI has it."""
        request = Request(environ)
        page = self._pages.get(request.path)
        response = page() if page is not None else self._served(request)
        return response(environ, start_response)

    def _served(self, request: Request) -> Response:
        service = self._services.get(request.path)
        puid = request.headers.get(PUID) or str(uuid.uuid4())
        if service is None:
            paths = ", ".join((*self._services, *self._pages))
            return _response(
                failure(404, "NO_SUCH_PATH", f"there is no {request.path}; there are {paths}"), puid
            )
        if request.method != "POST":
            return _response(failure(405, "NOT_POST", f"send a POST to {request.path}"), puid)
        name, serve = service
        begun = time.perf_counter()
        answer = self._answer(serve, request, puid)
        self._metrics.server(name, "post", answer.status, time.perf_counter() - begun)
        return _response(answer, puid)

    def _answer(
        self, serve: Callable[[Message, Mapping[str, str]], Answer], request: Request, puid: str
    ) -> Answer:
        request.max_content_length = self._limit
        try:
            body = request.get_data(cache=False)
        except RequestEntityTooLarge:
            return failure(
                413,
                "BODY_TOO_LARGE",
                f"the body has more than {self._limit} bytes; send fewer rows at a time",
            )
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ONE_HOP}
        return serve(Message(body, request.content_type or JSON), {**headers, PUID: puid})

    def _ready(self) -> Response:
        missing = self._graph.unready()
        return Response(
            f"not ready: {', '.join(missing)}\n" if missing else "ready\n", 503 if missing else 200
        )

    def _prometheus(self) -> Response:
        return Response(generate_latest(self._metrics.registry), content_type=CONTENT_TYPE_LATEST)


def failure(code: int, reason: str, info: str) -> Answer:
    """An error in the form of a Seldon message."""
    status = {"status": "FAILURE", "code": code, "reason": reason, "info": info}
    return Answer(code, Message(json.dumps({"status": status}).encode(), JSON))


def _response(answer: Answer, puid: str) -> Response:
    return Response(
        answer.message.body, answer.status, {PUID: puid}, content_type=answer.message.content_type
    )


class _Server(BaseApplication):
    """Gunicorn with one process of threads: metrics and the logger's queue stay in one place."""

    def __init__(self, settings: ExecutorSettings) -> None:
        self._settings = settings
        self._log: EventLogger | None = None
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings."""
        for name, value in {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "worker_class": "gthread",
            "threads": self._settings.threads,
            "keepalive": 75,
            "graceful_timeout": 8,  # seconds, for requests and for what the logger still has to post
            "loglevel": self._settings.log_level,
            "control_socket_disable": True,
            "worker_exit": lambda server, worker: self._stop_logging(),
        }.items():
            if name in self.cfg.settings:  # the control socket came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> ExecutorStandIn:
        """Called in the process that serves."""
        metrics = ExecutorMetrics(self._settings)
        self._log = _event_logger(self._settings, metrics)
        if self._log is not None:
            self._log.start()
        graph = Graph(self._settings, Parts(self._settings, metrics), self._log)
        return ExecutorStandIn(self._settings, metrics, graph)

    def _stop_logging(self) -> None:
        if self._log is not None:
            self._log.stop(within_s=5.0)


def _event_logger(settings: ExecutorSettings, metrics: ExecutorMetrics) -> EventLogger | None:
    if not settings.events:
        return None
    origin = Origin(
        f"http://{settings.host}:{settings.port}/",
        settings.deployment,
        settings.namespace,
        settings.predictor_name,
        "predictor",
    )
    return EventLogger(
        settings.events,
        origin,
        metrics.event,
        places=settings.log_queue,
        patience_s=settings.log_patience_s,
        retry_s=settings.log_retry_s,
        timeout_s=settings.timeout_s,
        senders=settings.log_senders,
    )


def settings_from(argv: Sequence[str]) -> ExecutorSettings:
    """The settings out of a command line; an unknown option exits with 2. Raises SettingsError for an impossible value."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.executor_stand_in",
        description="A stand-in, on one machine, for Seldon's executor (the service orchestrator). Not for production.",
        allow_abbrev=False,
    )
    for entry in dataclasses.fields(ExecutorSettings):
        parser.add_argument(
            "--" + entry.name.replace("_", "-"),
            type=type(entry.default),
            default=entry.default,
            help=f"{entry.metadata['doc']} (default: {entry.default})",
        )
    return read_settings(ExecutorSettings, vars(parser.parse_args(argv)))


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM. A setting that cannot be used ends it with one sentence and exit code 2."""
    try:
        settings = settings_from(argv)
    except SettingsError as error:
        print(f"serving: {error}", file=sys.stderr)
        return code_for(error)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    disable_created_metrics()  # the executor has no such series
    _Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
