"""Carries out the `pedalflow` commands of a local run, one at a time, within the run's time and until it is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from types import FrameType

from pedalflow.command import exits
from pedalflow.command.options import ROOT
from pedalflow.workspace import Workspace
from triggers.launchers.answers import ENDED_WELL, STOPPED, Answer, answer
from triggers.launchers.launcher_settings import LocalSettings
from triggers.launchers.run_folder import RunFolder, read_json, write_json


class Stopped(Exception):
    """Somebody asked the run to stop, or stopped its command."""


class TookTooLong(Exception):
    """The run's time is up."""


class Commands:
    """The commands of one run; each is a process in the process group of this one, and has the descriptor of the run's lock."""

    def __init__(self, folder: RunFolder, workspace: Workspace, settings: LocalSettings, lock: int) -> None:
        self._folder = folder
        self._settings = settings
        self._lock = lock
        self._words = [*(settings.command or (sys.executable, "-m", "pedalflow.command.main"))]
        self._words += ["--workspace", str(workspace.root), "--json"]
        self._deadline = time.monotonic() + settings.timeout_s
        self._asked_to_stop = threading.Event()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handles SIGTERM: the command at work got it too, and nothing is begun after it."""
        self._asked_to_stop.set()

    def ask(self, step: str, doing: str, options: Sequence[str]) -> Answer:
        """What a step answers: kept from before where it was over; asked again while another process has the workspace.

        Raises:
            Stopped, TookTooLong: there is no answer.
        """
        if kept := self._kept(step):
            return kept
        until = time.monotonic() + self._settings.busy_wait_s
        while (ended := self._run(step, doing, options)).busy and time.monotonic() < until:
            self._folder.note_step(f"waits: {ended.said}")
            self._asked_to_stop.wait(self._settings.busy_retry_s)
        if ended.code == exits.OK.code:
            write_json(self._folder.answer(step), asdict(ended))
        return ended

    def _kept(self, step: str) -> Answer | None:
        """What the step came to under an earlier process of this run, or what its command still said when that was gone."""
        if kept := read_json(self._folder.answer(step)):
            return Answer(**kept)
        said = read_json(self._folder.output(step)) or {}
        return Answer(exits.OK.code, said) if said.get("outcome") in ENDED_WELL else None

    def _run(self, step: str, doing: str, options: Sequence[str]) -> Answer:
        if self._asked_to_stop.is_set():
            raise Stopped
        self._folder.note_step(doing)
        output = self._folder.output(step)
        with output.open("wb") as out, self._folder.log.open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                [*self._words, *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                pass_fds=(self._lock,),  # it holds the lock as well, and its own children do not get it
            )
            code = self._wait(process)
        if code in STOPPED:
            raise Stopped
        said = self._folder.log.read_bytes()[begin:].decode("utf-8", "replace")
        return answer(code, output.read_text(encoding="utf-8", errors="replace"), said)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(max(self._deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired as expired:
            os.killpg(0, signal.SIGTERM)  # this process notes it and goes on
            with suppress(subprocess.TimeoutExpired):
                process.wait(self._settings.stop_s)
            raise TookTooLong from expired
