"""What `pedalflow serve` does: checks the release, starts the processes of `serving.local`, watches over them, ends them all."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pedalflow.champion import Pointer, write_pointer
from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import RunFailed, ServingFailed, SettingsError
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.workspace import Workspace
from serving import local
from serving.local import Wish, parts
from serving.running import LOCK, noted, servers_of
from serving.supervisor import Part, Supervisor, supervised, taken_ports
from serving.traffic import write_percent

READY_WITHIN_S = 60.0
ASKING_TAKES_S = 0.5  # other commands hold the lock for a moment to see whether somebody serves


def main(argv: list[str]) -> int:
    """Run `pedalflow serve` with the given arguments; returns the exit code."""
    arguments = options.parse("serve", argv)
    workspace = Workspace(arguments.workspace)
    wish = Wish(
        release=arguments.release or workspace.champion,
        state=workspace.serving,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        without=frozenset(arguments.without),
        log_level=arguments.log_level,
        private_fields=tuple(filter(None, arguments.private_fields.split(","))),
        canary=arguments.canary,
        broker=arguments.broker or "",
        broker_token_file=arguments.broker_token_file,
    )
    _check_wish(wish)
    busy = f"another `pedalflow serve` runs in {workspace.root}; stop it, or give another workspace with --workspace"
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(wish.state / LOCK, busy, ASKING_TAKES_S))
        except RunFailed as error:
            raise ServingFailed(str(error)) from error
        _serve(wish, arguments.seconds, as_json=arguments.json)
    return 0


def _check_wish(wish: Wish) -> None:
    """Raises SettingsError where options do not go together."""
    if wish.canary and not wish.has(local.EVENTS):
        raise SettingsError(
            "--canary needs the event services, which compare its errors; leave out --without events"
        )
    if wish.broker and not wish.has(local.EVENTS):
        raise SettingsError("--broker gets what the event services say; leave out --without events")
    if wish.broker_token_file and not wish.broker:
        raise SettingsError("--broker-token-file belongs to a broker; name it with --broker")


@dataclass(frozen=True)
class Checked:
    """A release that can serve, and a row that its model knows, to try it with."""

    pointer: Pointer
    row: Mapping[str, object]

    @property
    def release(self) -> str:
        """Its name."""
        return self.pointer.release


def checked(wish: Wish) -> Checked:
    """The release that is going to serve, where every port is free too; otherwise nothing is to be started.

    Raises:
        ReleaseBroken: there is no such release, or it cannot serve.
        ServingFailed: a port is taken, or the host is no address of this machine.
    """
    from serving.served import load_served

    served = load_served(wish.release)
    taken = taken_ports(wish.host, parts(wish))
    if taken:
        listed = ", ".join(f"{port} (for the {part})" for port, part in taken.items())
        raise ServingFailed(
            f"something else listens on port {listed}; stop it, or serve on another block with --port N"
        )
    release = served.release
    pointer = Pointer(release.name, release.checksum, release.folder)
    return Checked(pointer, served.schema.to_records(served.detectors.background)[0])


def _serve(wish: Wish, seconds: float | None, *, as_json: bool) -> None:
    progress = Progress(sys.stderr)
    with progress.step("checking the release"):
        found = checked(wish)
    _begin_without_rollout(wish, found)
    with supervised(parts(wish), wish.logs, options.ROOT, progress.say) as running:
        with progress.step("starting"):
            running.wait_until_ready(READY_WITHIN_S)
        with noted(wish.state, servers_of(wish)):
            print((as_line if as_json else as_table)(wish, found, running.pids), flush=True)
            _watch(running, seconds)
        progress.say("stopping")


def _begin_without_rollout(wish: Wish, found: Checked) -> None:
    """All traffic is the champion's, and the canary has a whole release, whatever was going on when the servers ended last."""
    if wish.canary:
        write_percent(wish.traffic, 0)
        write_pointer(wish.canary_pointer, found.pointer)


def _watch(running: Supervisor, seconds: float | None) -> None:
    """Ctrl-C and SIGTERM are how serving is meant to end, so they are no failure here."""
    try:
        running.watch(seconds)
    except KeyboardInterrupt:
        return


def as_line(wish: Wish, found: Checked, pids: Mapping[str, int]) -> str:
    """Everything a script needs, as one line of JSON."""
    listed = [
        {"name": part.name, "address": part.address, "pid": pids[part.name], "log": str(log)}
        for part, log in _with_logs(wish)
    ]
    addresses = {"rest": wish.url(local.EXECUTOR), "grpc": wish.at(local.PREDICTOR, local.GRPC)}
    return json.dumps({"ready": True, "release": found.release, "addresses": addresses, "parts": listed})


def as_table(wish: Wish, found: Checked, pids: Mapping[str, int]) -> str:
    """The same for people."""
    rows = [(part.name, part.address, str(pids[part.name]), part.purpose) for part in parts(wish)]
    rows.append(("", f"grpc://{wish.at(local.PREDICTOR, local.GRPC)}", "", "the predictor over gRPC"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths)), row[3])).rstrip() for row in rows
    ]
    return "\n".join(
        (f"serving release {found.release}; Ctrl-C stops everything", "", *lines, "", _curl(wish, found.row))
    )


def _with_logs(wish: Wish) -> list[tuple[Part, Path]]:
    return [(part, wish.logs / f"{part.name}.log") for part in parts(wish)]


def _curl(wish: Wish, row: Mapping[str, object]) -> str:
    body = json.dumps({"jsonData": row})
    return f"curl -s {wish.url(local.EXECUTOR)}/api/v1.0/predictions -H 'Content-Type: application/json' -d '{body}'"


if __name__ == "__main__":
    sys.exit(outermost(main))
