"""What running servers say of a rollout: which releases their processes serve, how much each release errs, what the canary failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pedalflow.errors import ServingFailed
from serving import local
from serving.error_sums import ErrorSums
from serving.executor_stand_in import CLIENT
from serving.rollout import Calls
from serving.running import Servers
from serving.telemetry import RELEASE

_TIMEOUT_S = 10.0
_SERVERS_FAULT = 500


class Watch:
    """Asks the servers. Everything raises ServingFailed where they do not answer as they should."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S)

    def serves(self, part: str, release: str) -> bool:
        """Whether all processes of the part answer with the release."""
        samples = self._samples(self._servers.metrics[part], RELEASE.name)
        return {sample.labels["release"] for sample in samples if sample.value > 0} == {release}

    def calls(self) -> Calls:
        """What the canary was asked since the executor started."""
        address = f"{self._servers.addresses[local.EXECUTOR]}/prometheus"
        asked = {
            sample.labels["code"]: int(sample.value)
            for sample in self._samples(address, f"{CLIENT.name}_count")
            if sample.labels["model_name"] == local.CANARY
        }
        failed = sum(count for code, count in asked.items() if int(code) >= _SERVERS_FAULT)
        return Calls(sum(asked.values()), failed)

    def errors(self, since: str) -> Mapping[str, ErrorSums]:
        """The labelled rows of requests since a moment, by the release that answered."""
        address = f"{self._servers.addresses[local.EVENTS]}/errors?since={quote(since)}"
        answer = self._asked(address)
        try:
            releases = answer.json()["releases"]
            return {name: ErrorSums(**shown["sums"]) for name, shown in releases.items()}
        except (ValueError, KeyError, TypeError) as error:
            raise ServingFailed(
                f"{address} answered something else than errors by release ({error!r})"
            ) from error

    def _samples(self, address: str, name: str) -> Iterator[Sample]:
        text = self._asked(address).data.decode("utf-8")
        for family in text_string_to_metric_families(text):
            yield from (sample for sample in family.samples if sample.name == name)

    def _asked(self, address: str) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request("GET", address)
        except urllib3.exceptions.HTTPError as error:
            raise ServingFailed(f"{address} does not answer ({error})") from error
        if answer.status != 200:
            raise ServingFailed(f"{address} answers {answer.status}")
        return answer
