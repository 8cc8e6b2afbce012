"""Seldon's own wrapper, started with a few named changes.

    python -m serving.microservice serving.predictor.Predictor --http-port 9000 --grpc-port 5000 --metrics-port 6000

takes the options of `seldon-core-microservice` and `--host` beside them (`0.0.0.0` as in Seldon; `127.0.0.1` keeps a server to its
machine). `CHANGES` is the list of what is different and each function says why. Everything else is Seldon's: the routes, Gunicorn,
gRPC, the metrics server.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pedalflow.command.exits import code_for
from pedalflow.errors import PedalflowError, SettingsError
from serving.metrics_folder import share_metrics_folder

DEFAULTS = {
    "PAYLOAD_PASSTHROUGH": "true",  # bodies reach the class as bytes: parsed once, and by orjson
    "INCLUDE_METRICS_IN_CLIENT_RESPONSE": "false",  # meta.metrics are for the metrics port, not for the next part of the graph
    "GUNICORN_THREADS": "32",  # with one thread Gunicorn closes the connection after every reply; see answer_in_one_thread
}
SELDONS_LEVEL = "SELDON_LOG_LEVEL"
END_S = 10.0  # seconds that processes get to end by themselves
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal. What is wrong with the settings or the release ends the process with one sentence."""
    own, seldons = _parse(list(sys.argv[1:] if arguments is None else arguments))
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    share_metrics_folder()
    _speak_plainly(seldons)
    end_with_parent()
    from seldon_core import microservice  # reads the environment when it is imported
    from seldon_core.flask_utils import SeldonMicroserviceException

    for change in CHANGES:
        change(own)
    sys.argv = ["seldon-core-microservice", *seldons]
    main_process = os.getpid()
    try:
        microservice.main()
    except (PedalflowError, SeldonMicroserviceException) as error:
        return _said(error)
    finally:
        if os.getpid() == main_process:
            end_children()
    return 0


def use_host(own: argparse.Namespace) -> None:
    """Bind all three servers to `--host`; Seldon's wrapper writes 0.0.0.0 in its code, right in a pod and too open on a laptop."""
    from seldon_core import gunicorn_utils, microservice

    load_config = gunicorn_utils.StandaloneApplication.load_config
    run_grpc_server = microservice._run_grpc_server

    def load_config_with_host(application: Any) -> None:
        application.options["bind"] = f"{own.host}:{application.options['bind'].rsplit(':', 1)[1]}"
        load_config(application)

    def run_grpc_server_with_host(*arguments: Any) -> None:
        *others, address = arguments
        run_grpc_server(*others, f"{own.host}:{address.rsplit(':', 1)[1]}")

    gunicorn_utils.StandaloneApplication.load_config = load_config_with_host
    microservice._run_grpc_server = run_grpc_server_with_host


def open_no_control_socket(own: argparse.Namespace) -> None:
    """Gunicorn 27 opens a socket for commands at one path for all servers of a user; ours would get in each other's way."""
    from seldon_core import gunicorn_utils

    load_config = gunicorn_utils.StandaloneApplication.load_config

    def load_config_without(application: Any) -> None:
        application.options["control_socket_disable"] = True
        load_config(application)

    gunicorn_utils.StandaloneApplication.load_config = load_config_without


def answer_in_one_thread(own: argparse.Namespace) -> None:
    """Let Gunicorn's threads wait for slow clients, and one thread answer whoever need not be waited for (`serving.steady_worker`)."""
    from seldon_core import gunicorn_utils

    from serving.steady_worker import SteadyWorker

    load_config = gunicorn_utils.StandaloneApplication.load_config

    def load_config_with_worker(application: Any) -> None:
        if application.options.get("threads", 1) > 1:
            application.options["worker_class"] = SteadyWorker
        load_config(application)

    gunicorn_utils.StandaloneApplication.load_config = load_config_with_worker


def trust_no_proxy(own: argparse.Namespace) -> None:
    """Let no header change what Gunicorn takes for scheme and path; so it need not find out for every request whom it could trust."""
    from seldon_core import gunicorn_utils

    load_config = gunicorn_utils.StandaloneApplication.load_config

    def load_config_without_proxy(application: Any) -> None:
        application.options |= {
            "forwarded_allow_ips": "*",  # anybody may set what the next two lines name: nothing
            "forwarder_headers": "",
            "secure_scheme_headers": {},
        }
        load_config(application)

    gunicorn_utils.StandaloneApplication.load_config = load_config_without_proxy


def write_dates_once_a_second(own: argparse.Namespace) -> None:
    """Keep the text of a reply's date while it is the same; Gunicorn composes it anew for every reply."""
    from gunicorn import util

    composed = functools.lru_cache(maxsize=1)(util.http_date)
    util.http_date = lambda timestamp=None: composed(int(time.time() if timestamp is None else timestamp))


def keep_the_error_stream(own: argparse.Namespace) -> None:
    """Hand every request the same stream for errors; Gunicorn makes one anew for each, and nearly none writes to it."""
    from gunicorn.http import wsgi

    wsgi.WSGIErrorsWrapper = functools.lru_cache(maxsize=1)(wsgi.WSGIErrorsWrapper)


def skip_empty_metrics(own: argparse.Namespace) -> None:
    """Leave out the wrapper's bookkeeping of custom metrics where a reply has none: six round trips to a manager's process."""
    from seldon_core import seldon_methods
    from seldon_core.proto.prediction_pb2 import SeldonMessage

    handle = seldon_methods.handle_raw_custom_metrics

    def handle_where_there_are_some(message: Any, seldon_metrics: Any, is_proto: bool, method: str) -> None:
        if isinstance(message, SeldonMessage):
            some = bool(message.meta.metrics)
        else:
            some = isinstance(message, dict) and _has_metrics(message.get("meta"))
        if some:
            handle(message, seldon_metrics, is_proto, method)

    seldon_methods.handle_raw_custom_metrics = handle_where_there_are_some


def _has_metrics(meta: Any) -> bool:
    return isinstance(meta, dict) and bool(meta.get("metrics"))


def add_our_metrics(own: argparse.Namespace) -> None:
    """Let Seldon's metrics port serve the metrics of all our processes after Seldon's own."""
    from seldon_core import metrics

    from serving.telemetry import all_processes

    generate = metrics.SeldonMetrics.generate_metrics

    def generate_all(seldon_metrics: Any) -> tuple[str, str]:
        text, mimetype = generate(seldon_metrics)
        return text + all_processes().decode("utf-8"), mimetype

    metrics.SeldonMetrics.generate_metrics = generate_all


def count_who_waits(own: argparse.Namespace) -> None:
    """Let the metrics port say how many requests nobody has read yet, each time it is asked (`serving.waiting`)."""
    from seldon_core import metrics, microservice

    from serving.waiting import as_text, waiting_requests

    generate = metrics.SeldonMetrics.generate_metrics

    def generate_with_waiting(seldon_metrics: Any) -> tuple[str, str]:
        text, mimetype = generate(seldon_metrics)
        seldons, _ = microservice.parse_args()  # its port is an option or a variable
        return text + as_text(waiting_requests(seldons.http_port)), mimetype

    metrics.SeldonMetrics.generate_metrics = generate_with_waiting


def read_json_bodies_as_they_are(own: argparse.Namespace) -> None:
    """Take a JSON body straight from the request; the wrapper looks for a form in every body first, which costs more than parsing it."""
    from flask import current_app, request
    from seldon_core import wrapper

    get_request = wrapper.get_request

    def get_body(skip_decoding: bool = False) -> Any:
        environ = request.environ
        if (
            skip_decoding
            and environ.get("CONTENT_TYPE") == "application/json"
            and not environ.get("QUERY_STRING")
        ):
            return read_body(environ, current_app.config["MAX_CONTENT_LENGTH"] or 0) or request.get_data()
        return get_request(skip_decoding)

    wrapper.get_request = get_body


def read_body(environ: Mapping[str, Any], most_bytes: int) -> bytes:
    """A body that says how long it is, and is no longer than that; empty where Flask has to look at it."""
    length = environ.get("CONTENT_LENGTH", "")
    known = length.isdecimal() and len(length) < 10 and int(length) <= most_bytes
    body: bytes = environ["wsgi.input"].read(int(length)) if known else b""
    return body


def leave_out_cors(own: argparse.Namespace) -> None:
    """No CORS headers: the wrapper lets the pages of any web site read replies, at a price for every request, and no browser calls it."""
    from seldon_core import wrapper

    wrapper.CORS = lambda app: None


def look_at_hosts_and_heads_once(own: argparse.Namespace) -> None:
    """Ask Flask what a `Host` means once for each, and let an ordinary reply leave as it is (`serving.flask_shortcuts`)."""
    from flask import Flask

    from serving.flask_shortcuts import WholeReply, knowing_hosts

    Flask.create_url_adapter = knowing_hosts(Flask.create_url_adapter)
    Flask.response_class = WholeReply


CHANGES: tuple[Callable[[argparse.Namespace], None], ...] = (
    use_host,
    open_no_control_socket,
    answer_in_one_thread,
    trust_no_proxy,
    write_dates_once_a_second,
    keep_the_error_stream,
    skip_empty_metrics,
    add_our_metrics,
    count_who_waits,
    read_json_bodies_as_they_are,
    leave_out_cors,
    look_at_hosts_and_heads_once,
)


def end_with_parent() -> None:
    """Every process forked from now on gets SIGTERM when its parent ends, however it ends.

    Without it the gRPC server outlives a stopped REST server and goes on sharing its port, with the old release, with what is started
    next.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = 0

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it ended before we asked
            os._exit(1)

    os.register_at_fork(before=remember, after_in_child=bind)


def end_children() -> None:
    """End the processes that the wrapper has started: it ends its REST server only, and would wait for the others forever."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(END_S)
        if child.is_alive():
            child.kill()
            child.join()


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        add_help=False,
        allow_abbrev=False,
        description="Seldon's wrapper with --host; the other options are Seldon's.",
    )
    parser.add_argument("--host", default="0.0.0.0", help="Address that REST, gRPC and metrics are bound to.")
    return parser.parse_known_args(arguments)


def _speak_plainly(seldons: list[str]) -> None:
    """Warnings and what we have to say, one line each; Seldon's own news only where somebody asks for them."""
    level = os.environ.get(SELDONS_LEVEL, logging.getLevelName(logging.WARNING))
    if "--log-level" not in seldons and SELDONS_LEVEL not in os.environ:
        seldons += ["--log-level", level]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("pedalflow").setLevel(logging.INFO)


def _said(error: Exception) -> int:
    text = getattr(error, "message", str(error))
    print(f"serving: {text}", file=sys.stderr, flush=True)
    return code_for(error if isinstance(error, PedalflowError) else SettingsError(text))


if __name__ == "__main__":
    sys.exit(main())
