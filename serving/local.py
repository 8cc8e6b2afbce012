"""What `pedalflow serve` starts on one machine: a table of processes, wired as the manifests wire them in a cluster.

Ports count from the first one of a block of forty (`--port`, 9000 unless said otherwise):

    +0   executor    REST: the stand-in for Seldon's executor, the address for callers
    +1   predictor   REST            +2  gRPC       +3  metrics
    +4   canary      REST            +5  (unused)   +6  metrics    (with `--canary`)
    +11  outliers    REST            +12 (unused)   +13 metrics
    +21  explainer   REST            +22 (unused)   +23 metrics
    +31  events      REST: drift, concept drift, collector

    caller ─▶ executor ─▶ outliers (/transform-input) ─▶ predictor, or canary for its share (/predict)
                 └─ CloudEvents: request, response, feedback ─▶ events
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from serving.segments import OWN_LOG
from serving.supervisor import Part, Probe

EXECUTOR, PREDICTOR, OUTLIERS, EXPLAINER, EVENTS = "executor", "predictor", "outliers", "explainer", "events"
CANARY = "canary"
OPTIONAL = (EXPLAINER, OUTLIERS, EVENTS)
BLOCK = 40
FIRST_PORT = {EXECUTOR: 0, PREDICTOR: 1, CANARY: 4, OUTLIERS: 11, EXPLAINER: 21, EVENTS: 31}
GRPC, METRICS = 1, 2  # above the first port of a part that runs in Seldon's wrapper
DEPLOYMENT, GRAPH = "pedalflow", "main"
_THREADS = 8
_LOG_QUEUE = (
    10_000  # events: Seldon's executor has 100, but there a broker takes them, and here the receiver itself
)
_KEEP_ALIVE_S = 75


@dataclass(frozen=True)
class Wish:
    """What to start.

    Args:
        release: folder of a release, or a file that points to one and may change.
        state: folder for logs, collected requests and the detectors' state.
        host: address to listen on.
        port: first port of the block.
        workers: processes of the predictor.
        without: parts of OPTIONAL that are left out.
        log_level: debug, info, warning or error.
        private_fields: fields that are written to no log and collected by nobody.
        canary: whether a second predictor stands ready for a rollout.
        broker: the address that the detectors' own events are posted to; empty: they are kept.
        broker_token_file: holds the token that the broker wants.
    """

    release: Path
    state: Path
    host: str = "127.0.0.1"
    port: int = 9000
    workers: int = 1
    without: frozenset[str] = frozenset()
    log_level: str = "warning"
    private_fields: tuple[str, ...] = ()
    canary: bool = False
    broker: str = ""
    broker_token_file: Path | None = None

    @property
    def logs(self) -> Path:
        """A log for each part."""
        return self.state / "logs"

    def has(self, part: str) -> bool:
        """Whether the part is started."""
        return self.canary if part == CANARY else part not in self.without

    @property
    def canary_pointer(self) -> Path:
        """The file that says which release the canary answers with."""
        return self.state / "canary.json"

    @property
    def traffic(self) -> Path:
        """The file that says which share of the requests the canary answers."""
        return self.state / "traffic.json"

    def at(self, part: str, offset: int = 0) -> str:
        """`host:port` of a part, as others on this machine reach it."""
        return f"{reachable(self.host)}:{self.port + FIRST_PORT[part] + offset}"

    def url(self, part: str) -> str:
        """The REST address of a part."""
        return f"http://{self.at(part)}"


def reachable(host: str) -> str:
    """Where something that listens on `host` is reached from this machine."""
    return "127.0.0.1" if host in ("0.0.0.0", "") else host


def parts(wish: Wish) -> tuple[Part, ...]:
    """The processes; the edge first, which is stopped first."""
    return tuple(make(wish) for name, make in _PARTS.items() if wish.has(name))


def _executor(wish: Wish) -> Part:
    options = {
        "predictor": wish.url(PREDICTOR),
        "outliers": wish.url(OUTLIERS) if wish.has(OUTLIERS) else "",
        "explainer": wish.url(EXPLAINER) if wish.has(EXPLAINER) else "",
        "events": f"{wish.url(EVENTS)}/" if wish.has(EVENTS) else "",
        **({"canary": wish.url(CANARY), "traffic": str(wish.traffic)} if wish.has(CANARY) else {}),
        "host": wish.host,
        "port": str(wish.port),
        "deployment": DEPLOYMENT,
        "predictor-name": GRAPH,
        "log-queue": str(_LOG_QUEUE),
        "log-level": wish.log_level,
    }
    return Part(
        name=EXECUTOR,
        purpose="the address for callers: stands in for Seldon's executor",
        address=wish.url(EXECUTOR),
        command=_python(
            "serving.executor_stand_in", *(f"--{name}={value}" for name, value in options.items())
        ),
        environment={},
        ports=(wish.port,),
        probes=(Probe("http", f"{wish.url(EXECUTOR)}/live"),),
    )


def _predictor(wish: Wish) -> Part:
    return _wrapped(
        wish,
        PREDICTOR,
        "predictions over REST and gRPC",
        "serving.predictor.Predictor",
        _predictor_parameters(wish, wish.release),
        workers=wish.workers,
        grpc=True,
    )


def _canary(wish: Wish) -> Part:
    """Serving goes on without it, so it may die as often as it likes."""
    part = _wrapped(
        wish,
        CANARY,
        "a release on trial, for its share of the requests",
        "serving.predictor.Predictor",
        _predictor_parameters(wish, wish.canary_pointer),
    )
    return replace(part, vital=False)


def _predictor_parameters(wish: Wish, release: Path) -> dict[str, str]:
    """A predictor keeps its own log beside the collector's: it holds what was answered if the executor is killed with events that it has
    not sent, and what came over gRPC. `pedalflow collected` counts every request once."""
    return {
        "release": str(release),
        "outliers": "upstream" if wish.has(OUTLIERS) else "inline",
        "private_fields": ",".join(wish.private_fields),
        "request_log": str(wish.state / OWN_LOG),
    }


def _outliers(wish: Wish) -> Part:
    return _wrapped(
        wish,
        OUTLIERS,
        "flags requests that cannot be right",
        "serving.outlier_detector.OutlierDetector",
        {"release": str(wish.release)},
        service_type="TRANSFORMER",
    )


def _explainer(wish: Wish) -> Part:
    return _wrapped(
        wish,
        EXPLAINER,
        "what each feature contributes to a prediction",
        "serving.explainer.Explainer",
        {"release": str(wish.release)},
    )


def _events(wish: Wish) -> Part:
    port = wish.port + FIRST_PORT[EVENTS]
    return Part(
        name=EVENTS,
        purpose="drift, concept drift, and the collector of requests and labels",
        address=wish.url(EVENTS),
        command=_python(
            "serving.event_server",
            *("--state", str(wish.state), "--release", str(wish.release)),
            *("--host", wish.host, "--port", str(port)),
            *("--receivers", "drift,concept,collector"),
            *(("--private-fields", ",".join(wish.private_fields)) if wish.private_fields else ()),
            *(("--broker", wish.broker) if wish.broker else ()),
            *(("--broker-token-file", str(wish.broker_token_file)) if wish.broker_token_file else ()),
        ),
        environment={},
        ports=(port,),
        probes=(Probe("http", f"{wish.url(EVENTS)}/healthz"),),
    )


def _wrapped(
    wish: Wish,
    name: str,
    purpose: str,
    served: str,
    parameters: Mapping[str, str],
    *,
    service_type: str = "MODEL",
    workers: int = 1,
    grpc: bool = False,
) -> Part:
    """A class in Seldon's own wrapper, with the environment that Seldon's operator gives a container."""
    port = wish.port + FIRST_PORT[name]
    ports = (port, *((port + GRPC,) if grpc else ()), port + METRICS)
    probes = (
        Probe("http", f"{wish.url(name)}/health/ping"),
        *((Probe("grpc", wish.at(name, GRPC)),) if grpc else ()),
    )
    given = [{"name": key, "value": value, "type": "STRING"} for key, value in parameters.items()]
    return Part(
        name=name,
        purpose=purpose,
        address=wish.url(name),
        command=_python(
            "serving.microservice",
            served,
            *("--host", wish.host, "--service-type", service_type, "--parameters", json.dumps(given)),
            *(
                "--http-port",
                str(port),
                "--grpc-port",
                str(port + GRPC),
                "--metrics-port",
                str(port + METRICS),
            ),
            *("--workers", str(workers), "--threads", str(_THREADS), "--keepalive", str(_KEEP_ALIVE_S)),
            *("--grpc-workers", "1" if grpc else "0", "--grpc-threads", str(_THREADS)),
            *("--log-level", wish.log_level.upper()),
        ),
        environment={
            "SELDON_DEPLOYMENT_ID": DEPLOYMENT,
            "PREDICTOR_ID": GRAPH,
            "PREDICTIVE_UNIT_ID": name,
            "INCLUDE_METRICS_IN_CLIENT_RESPONSE": "false",  # meta.metrics are for the wrapper, not for the next part
        },
        ports=ports,
        probes=probes,
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


_PARTS: Mapping[str, Callable[[Wish], Part]] = {
    EXECUTOR: _executor,
    PREDICTOR: _predictor,
    CANARY: _canary,
    OUTLIERS: _outliers,
    EXPLAINER: _explainer,
    EVENTS: _events,
}
