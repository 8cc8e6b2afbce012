"""What `pedalflow triggers serve` does: reads the settings, makes what one machine needs, serves until it is stopped, cleans up."""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing

import uvicorn

from pedalflow.errors import RunFailed, ServingFailed
from pedalflow.lock import exclusive
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from triggers.connections import PromptProtocol, allow_many_files
from triggers.doors import SETTING_OF, is_loopback
from triggers.events import Source
from triggers.private_files import ADDRESS_FILE, SERVING_LOCK, announced, make_tokens, secrets_folder
from triggers.service import Service, running
from triggers.settings import TriggersSettings, read_settings

STOP_S = 5  # how long answers that are being given may take when the service stops
BACKLOG = 2048
MOST_CONNECTIONS = 1000  # who comes above that gets 503 and comes again
SWITCH_S = 0.0005  # for so long a thread may keep others waiting: a delivery passes through three
LOCK_WAIT_S = 1.0  # whoever looks whether a service runs holds the lock for a moment


def serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit code.

    Raises:
        SettingsError: a setting or a secret cannot be used.
        ServingFailed: the port is taken, the database does not answer, or another service runs in the workspace.
    """
    _log_to_stderr(arguments.log_level)
    settings = _settings(arguments)
    allow_many_files()
    workspace = Workspace(arguments.workspace)
    busy = f"another `pedalflow triggers serve` runs in {workspace.root}; stop it, or give another workspace with --workspace"
    with ExitStack() as held:
        _make_state(workspace)
        try:
            held.enter_context(exclusive(workspace.triggers / SERVING_LOCK, busy, LOCK_WAIT_S))
        except RunFailed as error:
            raise ServingFailed(str(error)) from error
        (workspace.triggers / ADDRESS_FILE).unlink(missing_ok=True)  # of a service that was killed
        listening = held.enter_context(closing(listen(settings.host, settings.port)))
        _make_tokens(settings, workspace)
        service = held.enter_context(running(settings, workspace))
        address = address_of(listening)
        token_files = {source.value: path for source, path in service.token_files.items()}
        held.enter_context(announced(workspace, address, token_files))
        _run(service, listening, lambda: _say_ready(service, address, as_json=arguments.json))
    return 0


def _settings(arguments: argparse.Namespace) -> TriggersSettings:
    """What stands on the command line counts before everything else."""
    given = {name: getattr(arguments, name) for name in ("host", "port")}
    settings = read_settings(arguments.settings)
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    logging.getLogger("pedalflow").setLevel(level.upper())


def _make_state(workspace: Workspace) -> None:
    try:
        workspace.triggers.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServingFailed(
            f"{workspace.triggers} cannot be made ({error.strerror}); make it writable"
        ) from error


def _make_tokens(settings: TriggersSettings, workspace: Workspace) -> None:
    """On this machine alone every source is open to whoever may read its files; seen from elsewhere what has no secret is closed."""
    if not is_loopback(settings.host):
        return
    names = [
        name
        for name in SETTING_OF.values()
        if getattr(settings, name) is None and getattr(settings, f"{name}_file") is None
    ]
    folder = secrets_folder(workspace)
    if made := make_tokens(folder, names):
        print(f"made {len(made)} private tokens in {folder}", file=sys.stderr)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that whoever comes from now on is heard.

    Raises ServingFailed where the port is taken or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ServingFailed(
            f"cannot listen on {host}: {error}; give an address of this machine with --host"
        ) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise ServingFailed(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; give another one with --port or --host"
        ) from error
    return made


def address_of(listening: socket.socket) -> str:
    """Where a listening socket is reached, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _run(service: Service, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM are how serving is meant to end, so they are no failure here.

    No proxy is believed about where a request comes from: anybody on this machine could say the same.
    """
    config = uvicorn.Config(
        service.app,
        http=PromptProtocol,
        proxy_headers=False,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=STOP_S,
    )
    sys.setswitchinterval(SWITCH_S)
    try:
        _Server(config, ready).run(sockets=[listening])
    except KeyboardInterrupt:
        return


def _say_ready(service: Service, address: str, *, as_json: bool) -> None:
    print(as_line(service, address) if as_json else as_table(service, address), flush=True)


def as_line(service: Service, address: str) -> str:
    """Everything a script needs, as one line of JSON."""
    sources = {
        source.value: {
            "address": f"{address}/events/{source.value}",
            "open": not door.opened_by,
            "token_file": str(service.token_files[source]) if source in service.token_files else None,
        }
        for source, door in service.doors.items()
    }
    return json.dumps({"ready": True, "address": address, "pid": os.getpid(), "sources": sources})


def as_table(service: Service, address: str) -> str:
    """The same for people."""
    rows = [
        (source.value, f"{address}/events/{source.value}", _proof(service, source))
        for source, door in service.doors.items()
    ]
    return "\n".join(
        (
            f"the page is {address}/ ; Ctrl-C stops the service",
            "",
            table(rows, ("source", "address", "opened by")),
        )
    )


def _proof(service: Service, source: Source) -> str:
    door = service.doors[source]
    if door.opened_by:
        return f"closed; set {door.opened_by}"
    file = service.token_files.get(source)
    return str(file) if file else "the settings"
