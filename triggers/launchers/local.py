"""Starts runs on this machine, each as a process of its own that outlives this service and is found again by its lock."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict

from pedalflow.command.options import ROOT
from pedalflow.workspace import Workspace
from triggers.errors import LaunchLater
from triggers.launchers.answers import took_too_long
from triggers.launchers.launcher import Launched, Order, Seen, State
from triggers.launchers.launcher_settings import LocalSettings, Name
from triggers.launchers.old_runs import forget_old
from triggers.launchers.run_folder import RunFolder, folder_of, is_locked, take_lock, write_json
from triggers.launchers.trained_spans import champion, has_new_data

# The service's own settings, secrets among them, are no business of a training.
PRIVATE_PREFIX = "PEDALFLOW_TRIGGERS_"

logger = logging.getLogger("pedalflow.triggers")


class LocalLauncher:
    """Runs in a workspace on this machine.

    Args:
        workspace: that is trained in; runs lie below its state/triggers/runs/.
        settings: of this launcher.
    """

    name = Name.LOCAL.value

    def __init__(self, workspace: Workspace, settings: LocalSettings) -> None:
        self._workspace = workspace
        self._settings = settings
        self._runs = workspace.state / "triggers" / "runs"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def find(self, key: str) -> Launched | None:
        """The run under this key that is at work, or is over; one that was interrupted may be submitted again."""
        self._reap()
        folder = folder_of(self._runs, key)
        if is_locked(folder.lock) or folder.finished() is not None:
            return Launched(key)
        return None

    def submit(self, order: Order) -> Launched:
        """Start the run, unless it is at work or over."""
        folder = folder_of(self._runs, order.key)
        try:
            self._submit(folder, order)
        except OSError as error:
            raise LaunchLater(f"the run's process cannot be started in {folder.path}: {error}") from error
        forget_old(self._runs, self._settings.keep_days)
        return Launched(order.key)

    def look(self, run: str) -> Seen:
        """How the run stands."""
        self._reap()
        folder = folder_of(self._runs, run)
        at_work = is_locked(folder.lock)  # asked first: the result is written before the lock is let go
        if seen := folder.finished():
            return seen
        if at_work:
            return self._overdue(folder) or Seen(State.ACTIVE, step=folder.step())
        return Seen(State.INTERRUPTED, note=_interruption(folder))

    def new_data(self) -> bool | None:
        """Whether a span has arrived that neither the champion nor a later run was trained on."""
        return has_new_data(self._workspace)

    def champion(self) -> str:
        """The release that serves."""
        return champion(self._workspace)

    def close(self) -> None:
        """Ask the runs that this process started to stop, and end those that do not in time."""
        self._reap()
        for child in self._children.values():
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + self._settings.stop_s
        for key, child in self._children.items():
            try:
                child.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                logger.warning("run %s did not stop within %g s and is killed", key, self._settings.stop_s)
                _signal_group(child, signal.SIGKILL)
                child.wait()
        self._children.clear()

    def _submit(self, folder: RunFolder, order: Order) -> None:
        folder.path.mkdir(parents=True, exist_ok=True)
        descriptor = take_lock(folder.lock)
        if descriptor is None:
            return
        try:
            if folder.finished() is None:
                self._start(folder, order, descriptor)
        finally:
            os.close(descriptor)  # the child has its own, and with it the lock

    def _start(self, folder: RunFolder, order: Order, descriptor: int) -> None:
        settings = self._settings.model_dump(mode="json")
        write_json(
            folder.order, {**asdict(order), "workspace": str(self._workspace.root), "settings": settings}
        )
        folder.note_step("starts")
        with folder.log.open("ab") as log:
            self._children[order.key] = subprocess.Popen(
                [sys.executable, "-m", "triggers.launchers.local_run", str(folder.path), str(descriptor)],
                cwd=ROOT,
                env=_without_private(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(descriptor,),
                start_new_session=True,
            )

    def _overdue(self, folder: RunFolder) -> Seen | None:
        """The end of a run whose own process, which minds its time, is gone, and whose command takes too long."""
        group = folder.process()
        limit_s = self._settings.timeout_s + self._settings.stop_s
        if group is None or _lives(group) or time.time() - folder.order.stat().st_mtime < limit_s:
            return None
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        seen = took_too_long(self._settings.timeout_s)
        folder.finish(seen)
        return seen

    def _reap(self) -> None:
        """Let go of processes that have ended, which otherwise would stay as zombies."""
        self._children = {key: child for key, child in self._children.items() if child.poll() is None}


def _interruption(folder: RunFolder) -> str:
    """What can be said of a run that left no result."""
    note = "its process ended without a result, as when it is killed or asked to stop"
    last = folder.last_line()
    return f"{note}; {folder.log} ends with: {last}" if last else note


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return True


def _without_private(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith(PRIVATE_PREFIX)}


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
