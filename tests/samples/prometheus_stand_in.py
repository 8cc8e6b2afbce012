"""A stand-in for Prometheus' HTTP API that knows the traffic of a simulated cluster: each look at it is some more requests.

It reads no PromQL, but tells the queries of `serving.cluster.prometheus` apart; whether they say what they should is tested with promtool.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from serving.error_sums import ErrorSums, error_sums
from tests.samples.json_server import Asked, Told, json_server
from tests.samples.kubernetes_api_stand_in import NAMESPACE, ClusterApi

REQUESTS = 200  # between two looks


@dataclass(frozen=True)
class Behaviour:
    """How a release behaves: the share of requests that it fails, its p95, and the WAPE of its predictions."""

    fails: float = 0.0
    p95_s: float = 0.02
    wape: float = 0.2


@dataclass
class PrometheusApi:
    """What it has scraped.

    Args:
        cluster: whose routing decides who answers.
        behaviours: by release.
        labels: whether labels come back.
        silent: whether it answers 503.
    """

    cluster: ClusterApi
    behaviours: dict[str, Behaviour]
    labels: bool = True
    silent: bool = False
    asked: dict[str, float] = field(default_factory=lambda: {"main": 5000.0, "canary": 0.0})
    failed: dict[str, float] = field(default_factory=lambda: {"main": 7.0, "canary": 0.0})
    sums: dict[str, ErrorSums] = field(default_factory=dict)
    _scraped: list[tuple[float, dict[str, ErrorSums]]] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        name = self.cluster.main.release
        self.sums[name] = _sums(1000, 0.2)
        self._scraped.append((time.time(), dict(self.sums)))

    def answer(self, asked: Asked) -> Told | None:
        """The answer to one query."""
        with self._turn:
            if self.silent:
                return Told({"status": "error", "error": "starting"}, 503)
            query = asked.query["query"]
            result = self._result(query, float(asked.query.get("time", "0")))
            return Told({"status": "success", "data": {"resultType": "vector", "result": result}})

    def _result(self, query: str, moment: float) -> list[Any]:
        if query == "vector(1)":
            return [_sample({}, 1.0)]
        assert f'namespace="{NAMESPACE}"' in query, query
        if "pedalflow_error_sums" in query:
            self._traffic()
            return self._errors(moment)
        predictor = re.findall(r'predictor_name="(\w+)"', query)[0]
        if query.startswith("histogram_quantile"):
            return [_sample({}, self._behaviour(predictor).p95_s)]
        counted = self.failed if "code=~" in query else self.asked
        if predictor == "canary" and "canary" not in self.cluster.routed:
            return []
        return [_sample({}, counted[predictor])]

    def _errors(self, moment: float) -> list[Any]:
        known = [sums for at, sums in self._scraped if at <= moment]
        return [
            _sample({"release": release, "sum": name}, value)
            for release, sums in (known[-1] if known else {}).items()
            for name, value in asdict(sums).items()
        ]

    def _traffic(self) -> None:
        """Some more requests, answered by those whom the routing names."""
        for predictor, share in self.cluster.routed.items():
            count = REQUESTS * share / 100
            behaviour = self._behaviour(predictor)
            self.asked[predictor] = self.asked.get(predictor, 0.0) + count
            self.failed[predictor] = self.failed.get(predictor, 0.0) + count * behaviour.fails
            if self.labels and count:
                release = self._release(predictor)
                before = self.sums.get(release, _sums(0, 0.0))
                more = asdict(_sums(round(count), behaviour.wape))
                self.sums[release] = ErrorSums(**{k: v + more[k] for k, v in asdict(before).items()})
        self._scraped.append((time.time(), dict(self.sums)))

    def _release(self, predictor: str) -> str:
        checksum = self.cluster.made[predictor].checksum
        return f"r-{checksum[:12]}"

    def _behaviour(self, predictor: str) -> Behaviour:
        return (
            self.behaviours.get(self._release(predictor), Behaviour())
            if predictor in self.cluster.made
            else Behaviour()
        )


def _sums(rows: int, wape: float) -> ErrorSums:
    """Rows whose predictions are now too high, now too low."""
    labels = np.linspace(50.0, 150.0, max(rows, 1))[:rows]
    signs = np.where(np.arange(rows) % 2, 1.0, -1.0)
    return error_sums(labels, labels * (1 + wape * signs))


def _sample(labels: dict[str, str], value: float) -> Any:
    return {"metric": labels, "value": [time.time(), str(value)]}


@contextmanager
def prometheus_api(prometheus: PrometheusApi) -> Iterator[str]:
    """Serves it and gives the address."""
    with json_server(prometheus.answer) as address:
        yield address
