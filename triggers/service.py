"""Puts the service together: store, clock, launchers, engine and web application, and takes it apart again in the right order."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from pedalflow.errors import ServingFailed
from pedalflow.workspace import Workspace
from triggers.app import Parts, make_app
from triggers.clock import make_clock
from triggers.doors import Door, make_doors, make_readers
from triggers.engine import Engine
from triggers.engine_parts import Timing
from triggers.errors import LaunchStopped, StoreFailed, TriggersError
from triggers.events import Source
from triggers.launchers.choice import make_launchers
from triggers.launchers.launcher import Launcher
from triggers.launchers.local import LocalLauncher
from triggers.metrics import Metrics
from triggers.policy import Action
from triggers.private_files import secrets_folder
from triggers.reading_routes import Reading
from triggers.schedule import keeping
from triggers.secret_values import FileSecret
from triggers.settings import TriggersSettings, database_url, effective_rules, own_database
from triggers.store.store import Store


@dataclass(frozen=True)
class Service:
    """A service that works: its web application, how each source proves who it is, and the files that hold their secrets."""

    app: FastAPI
    doors: Mapping[Source, Door]
    token_files: Mapping[Source, Path]


@contextmanager
def running(settings: TriggersSettings, workspace: Workspace) -> Iterator[Service]:
    """The service, its engine at work until the block ends.

    Raises:
        SettingsError: a secret that is named cannot be used.
        ServingFailed: the database does not answer, or a launcher cannot be made.
    """
    doors = make_doors(settings, secrets_folder(workspace))
    readers = make_readers(settings, doors)
    metrics = Metrics()
    with ExitStack() as held:
        try:
            url = database_url(settings, workspace)
            store = Store(url)
            held.callback(store.close)
            launchers = make_launchers(settings.launchers, workspace)
            if url != own_database(workspace) and _runs_here(launchers):
                store.bind_to(f"{socket.gethostname()}:{workspace.root.resolve()}")
        except (StoreFailed, LaunchStopped) as error:
            raise ServingFailed(str(error)) from error
        for launcher in set(launchers.values()):
            held.callback(launcher.close)
        clock = make_clock(settings.clock.value, store)
        timing = Timing(keep_days=settings.keep_days)
        rules = effective_rules(settings)
        alone = url == own_database(workspace)  # one service in a workspace, by its lock
        engine = Engine(
            store, launchers, rules, clock, settings.pipeline, metrics, timing=timing, alone=alone
        )
        metrics.watch(store.depth)
        retrain = launchers[Action.RETRAIN]
        reading = Reading(store, workspace, lambda: _champion(retrain), clock.now)
        parts = Parts(settings, store, doors, readers, metrics, reading, engine.wake, engine.alive)
        app = make_app(parts, lambda: keeping(settings.schedule, store.accept, engine.wake))
        engine.start()
        held.callback(engine.stop)
        yield Service(app, doors, _token_files(doors))


def _runs_here(launchers: Mapping[Action, Launcher]) -> bool:
    return any(isinstance(launcher, LocalLauncher) for launcher in launchers.values())


def _champion(launcher: Launcher) -> str:
    try:
        return launcher.champion()
    except TriggersError:
        return ""  # the page then goes by the newest promotion


def _token_files(doors: Mapping[Source, Door]) -> dict[Source, Path]:
    return {source: door.secret.path for source, door in doors.items() if isinstance(door.secret, FileSecret)}
