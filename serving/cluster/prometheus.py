"""What Prometheus knows of both sides of a rollout: requests that failed, how long answers take, and how much either release errs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import urllib3

from pedalflow.errors import ServingFailed
from serving.cluster.deployment import CANARY, MAIN
from serving.error_sums import ErrorSums
from serving.event_metrics import ERROR_SUMS
from serving.executor_stand_in import SERVER
from serving.rollout import NOT_MEASURED, Calls, Latencies, Latency

TIMEOUT_S = 10.0
FEWEST_TIMED = 20  # requests of either side before its latency says anything
_LOOK_BACK = "5m"  # a value that was scraped so long ago still counts, as in Prometheus itself
_NOTHING = ErrorSums(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
# HTTP says its codes in numbers, gRPC in names; these are the server's fault.
_FAILED = "5..|Unknown|DeadlineExceeded|ResourceExhausted|Unimplemented|Internal|Unavailable|DataLoss"
_NO_PREDICTIONS = "feedback|.*Feedback|status|metadata"  # services of the executor that are none

Labels = Mapping[str, str]


class PrometheusSilent(ServingFailed):
    """Prometheus does not answer, or not with what it should; nothing may be promoted without it."""


@dataclass(frozen=True)
class Side:
    """What to look for: the names of the SeldonDeployment and its namespace, the two releases, and when the canary got its share."""

    namespace: str
    deployment: str
    champion: str
    canary: str
    shared: float


@dataclass(frozen=True)
class Measured:
    """What was measured since the canary got its share."""

    champion: ErrorSums = _NOTHING
    canary: ErrorSums = _NOTHING
    calls: Calls = field(default_factory=Calls)
    latencies: Latencies = NOT_MEASURED


class Prometheus:
    """Asks over Prometheus' HTTP API. Everything raises PrometheusSilent where it does not answer as it should."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)

    def check(self) -> None:
        """Whether it answers at all."""
        self._asked("vector(1)", None)

    def measured(self, side: Side, now: float) -> Measured:
        """All that a verdict needs."""
        window_s = max(1, math.ceil(now - side.shared))
        asked, failed = (
            self._number(count_query(side, CANARY, window_s, only_failed=only)) for only in (False, True)
        )
        before, after = (
            self._sums(error_query(side, back), moment)
            for back, moment in (("1h", side.shared), (_LOOK_BACK, now))
        )
        return Measured(
            champion=_grown(before.get(side.champion), after.get(side.champion)),
            canary=_grown(before.get(side.canary), after.get(side.canary)),
            calls=Calls(round(asked), round(failed)),
            latencies=Latencies(self._latency(side, MAIN, window_s), self._latency(side, CANARY, window_s)),
        )

    def _latency(self, side: Side, predictor: str, window_s: int) -> Latency | None:
        if self._number(count_query(side, predictor, window_s)) < FEWEST_TIMED:
            return None
        p95, p99 = (
            self._number(latency_query(side, predictor, window_s, quantile), absent=math.nan)
            for quantile in (0.95, 0.99)
        )
        return Latency(p95, p99) if math.isfinite(p95) and math.isfinite(p99) else None

    def _sums(self, query: str, moment: float) -> dict[str, ErrorSums]:
        names = {each.name for each in fields(ErrorSums)}
        found: dict[str, dict[str, float]] = {}
        for labels, value in self._asked(query, moment):
            found.setdefault(labels.get("release", ""), {})[labels.get("sum", "")] = value
        whole = {release: sums for release, sums in found.items() if sums.keys() == names}
        return {
            release: ErrorSums(**{**sums, "rows": round(sums["rows"])})  # type: ignore[arg-type]
            for release, sums in whole.items()
        }

    def _number(self, query: str, absent: float = 0.0) -> float:
        found = self._asked(query, None)
        return found[0][1] if found else absent

    def _asked(self, query: str, moment: float | None) -> list[tuple[Labels, float]]:
        parameters = {"query": query} if moment is None else {"query": query, "time": f"{moment:.3f}"}
        try:
            answer = self._pool.request("GET", f"{self._address}/api/v1/query", fields=parameters)
            content = json.loads(answer.data)
            if answer.status != 200 or content["status"] != "success":
                raise PrometheusSilent(
                    f"Prometheus at {self._address} answers {answer.status}: {str(content)[:200]}"
                )
            return [(each["metric"], float(each["value"][1])) for each in content["data"]["result"]]
        except urllib3.exceptions.HTTPError as error:
            raise PrometheusSilent(
                f"Prometheus at {self._address} does not answer ({error}); look at --prometheus"
            ) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise PrometheusSilent(
                f"{self._address} answers something else than Prometheus does ({error!r}); look at --prometheus"
            ) from error


def count_query(side: Side, predictor: str, window_s: int, only_failed: bool = False) -> str:
    """Requests that a predictor was asked. Its pods began to count at 0, and what a pod that is gone had counted stays."""
    more = f', code=~"{_FAILED}"' if only_failed else ""
    return f"sum(max_over_time({SERVER.name}_count{{{_selected(side, predictor)}{more}}}[{window_s}s]))"


def latency_query(side: Side, predictor: str, window_s: int, quantile: float) -> str:
    """Seconds within which this share of the requests was answered."""
    buckets = f"{SERVER.name}_bucket{{{_selected(side, predictor)}}}"
    return f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[{window_s}s])))"


def error_query(side: Side, look_back: str) -> str:
    """The sums of both releases. They only grow, so of two pods of the event service, one of them gone, the greater one counts."""
    releases = "|".join((side.champion, side.canary))
    selected = f'{ERROR_SUMS.name}{{namespace="{side.namespace}", release=~"{releases}"}}'
    return f"max by (release, sum) (last_over_time({selected}[{look_back}]))"


def _selected(side: Side, predictor: str) -> str:
    return (
        f'namespace="{side.namespace}", deployment_name="{side.deployment}", predictor_name="{predictor}", '
        f'service!~"{_NO_PREDICTIONS}"'
    )


def _grown(before: ErrorSums | None, after: ErrorSums | None) -> ErrorSums:
    """What came since. Raises PrometheusSilent where there is less now: the state was lost, and nobody can tell."""
    if after is None:
        return _NOTHING
    sums = {
        each.name: getattr(after, each.name) - getattr(before or _NOTHING, each.name)
        for each in fields(ErrorSums)
    }
    if sums["rows"] < 0:
        raise PrometheusSilent(
            f"{ERROR_SUMS.name} shrank during the rollout, as if the event service had lost its state; roll out again"
        )
    return ErrorSums(**sums)
