"""Reads what the triggers service and the detectors say of themselves: events with their decisions, runs, labelled rows."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pedalflow.errors import RunFailed

TIMEOUT_S = 30.0
PAGE = 200
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Event = Mapping[str, Any]
Run = Mapping[str, Any]
OVER = frozenset(("succeeded", "failed", "canceled", "dropped"))
AT_WORK = frozenset(("launching", "running"))


class Service:
    """The triggers service at `address`. Raises RunFailed where it does not answer."""

    def __init__(self, address: str) -> None:
        self._address = address

    def events(self, newer_than: int = 0) -> list[Event]:
        """The events with a greater number, the oldest first."""
        return self._newer("events", newer_than)

    def event(self, id: str) -> Event:
        """One event."""
        event: Event = read_json(f"{self._address}/api/events/{id}")
        return event

    def runs(self, newer_than: int = 0) -> list[Run]:
        """The runs with a greater number, the oldest first."""
        return self._newer("runs", newer_than)

    def run(self, id: str) -> Run:
        """One run."""
        run: Run = read_json(f"{self._address}/api/runs/{id}")
        return run

    def _newer(self, kind: str, than: int) -> list[Mapping[str, Any]]:
        return list(reversed([thing for thing in self._newest(kind, than) if thing["number"] > than]))

    def _newest(self, kind: str, than: int) -> Iterator[Mapping[str, Any]]:
        """Page by page, the newest first, until one is known."""
        before = ""
        while True:
            page = read_json(f"{self._address}/api/{kind}?limit={PAGE if before else 20}{before}")
            yield from page[kind]
            if page["next"] is None or any(thing["number"] <= than for thing in page[kind]):
                return
            before = f"&before={page['next']}"


def labelled_rows(events_address: str) -> int:
    """How many labels the detectors have joined to their predictions."""
    releases = read_json(f"{events_address}/errors")["releases"]
    return sum(int(errors["rows"]) for errors in releases.values())


def canary_percent(traffic: Path) -> float:
    """The canary's share of the requests, as the servers' file of it says; 0 where there is none."""
    try:
        return float(json.loads(traffic.read_text(encoding="utf-8"))["canary_percent"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def read_json(address: str) -> Any:
    """The JSON of an address. Raises RunFailed."""
    try:
        with _NO_PROXY.open(address, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise RunFailed(f"{address} did not answer: {error}; the logs are in state/loop/logs") from error
