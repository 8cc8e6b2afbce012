"""`python -m serving.event_server`: the event services over HTTP, one process, because a window lives in one place.

POST /         an event; 202 without a body once its effect is on the disk (a broker takes a body for another event)
GET  /healthz  the process lives       GET /readyz  it takes events
GET  /drift    the last verdicts       GET /events  the last events that were emitted
GET  /errors   by release              GET /metrics for Prometheus
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException

from pedalflow.command.outermost import outermost
from pedalflow.errors import PedalflowError
from pedalflow.lock import exclusive
from serving.errors import ServingError
from serving.event_service import RECEIVERS, EventService, EventSettings
from serving.served import load_served
from serving.settings import describe_settings, read_settings

logger = logging.getLogger("pedalflow.events")

_BOOT_FAILED = 3  # gunicorn's own code for a worker that cannot begin: it stops all
_GRACEFUL_S = 10  # then the worker is killed
_ANSWERS_WITHIN_S = 5  # the worker's own patience; the rest is for closing what it has written
_KEEP_ALIVE_S = 75


def make_app(service: EventService) -> Flask:
    """The routes of the event services."""
    app = Flask("serving.event_server", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = int(service.settings.body_mb * 2**20)

    @app.post("/")
    def take() -> Response:
        taken = service.take(request.headers, request.get_data(cache=False))
        return Response(status=202, headers={"Pedalflow-Outcome": taken.value})

    @app.get("/healthz")
    def healthz() -> Response:
        return _json({"status": "alive"}, 200 if service.state.works else 500)

    @app.get("/readyz")
    def readyz() -> Response:
        return _json({"release": service.live.current.release.name}, 200 if service.state.works else 503)

    @app.get("/drift")
    def drift() -> Response:
        return _json(service.drift())

    @app.get("/events")
    def events() -> Response:
        return _json(service.events())

    @app.get("/errors")
    def errors() -> Response:
        return _json(service.errors(request.args.get("since", "")))

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(service.metrics(), content_type=CONTENT_TYPE_LATEST)

    @app.errorhandler(ServingError)
    def refused(error: ServingError) -> Response:
        return _failure(error.code, getattr(error, "rule", error.reason), str(error))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        return _failure(error.code or 500, error.name.upper().replace(" ", "_"), str(error.description))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        logger.exception("an event could not be taken in")
        return _failure(500, "UNEXPECTED", f"{type(error).__name__}; the log of the event services says more")

    return app


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, content_type="application/json")


def _failure(code: int, reason: str, info: str) -> Response:
    """As all of Seldon's servers refuse."""
    return _json({"status": {"status": "FAILURE", "code": code, "reason": reason, "info": info}}, code)


class _Server(BaseApplication):
    """gunicorn with one worker; everything is made in the worker, after the fork."""

    def __init__(self, settings: EventSettings) -> None:
        self._settings = settings
        self._service: EventService | None = None
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        wanted: dict[str, Any] = {
            "bind": f"{self._settings.host}:{self._settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": self._settings.threads,
            "keepalive": _KEEP_ALIVE_S,
            "graceful_timeout": _GRACEFUL_S,
            "loglevel": "warning",
            "proc_name": "pedalflow-events",
            "control_socket_disable": True,
            "worker_exit": lambda _arbiter, _worker: self._close(),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn in the worker."""
        self.cfg.set("graceful_timeout", _ANSWERS_WITHIN_S)  # of the worker alone
        try:
            self._service = EventService(self._settings)
            self._service.start()
        except PedalflowError as error:
            print(f"pedalflow: {error}", file=sys.stderr, flush=True)
            sys.exit(_BOOT_FAILED)
        return make_app(self._service)

    def _close(self) -> None:
        if self._service is not None:
            self._service.close()


_READ = {"INT": int, "FLOAT": float, "STRING": str}


def read_arguments(argv: Sequence[str]) -> EventSettings:
    """The settings of a command line; a usage error prints what is wrong and exits with 2.

    Raises:
        SettingsError: a value is not what it may be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m serving.event_server",
        description="Takes in the CloudEvents of Seldon's request logger: drift, concept drift, and the collector.",
        epilog="example: python -m serving.event_server --state state/serving --release state/serving/champion.json",
        allow_abbrev=False,
    )
    required = {
        field.name for field in dataclasses.fields(EventSettings) if field.default is dataclasses.MISSING
    }
    for described in describe_settings(EventSettings):
        needed = described.name in required
        parser.add_argument(
            f"--{described.name.replace('_', '-')}",
            type=_READ[described.type],
            required=needed,
            default=argparse.SUPPRESS,
            metavar=described.type,
            help=described.doc if needed else f"{described.doc} (default: {described.default})",
        )
    settings = read_settings(EventSettings, vars(parser.parse_args(argv)))
    unknown = sorted(set(settings.receivers) - set(RECEIVERS))
    if unknown or not settings.receivers:
        parser.error(f"--receivers takes some of {','.join(RECEIVERS)}, not {','.join(unknown) or 'nothing'}")
    return settings


def main(argv: list[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code.

    Raises:
        ReleaseBroken: there is no release that can judge.
        RunFailed: other event services use the same state.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = read_arguments(argv)
    state = Path(settings.state)
    with exclusive(
        state / "events.lock", f"other event services use {state}; stop them, or give another --state"
    ):
        load_served(settings.release)
        _Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(outermost(main))
