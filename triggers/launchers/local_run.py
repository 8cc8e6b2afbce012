"""The process of one run on this machine: trains, rolls out what was blessed, and writes down how it ended.

`python -m triggers.launchers.local_run FOLDER DESCRIPTOR`, started by the local launcher with the lock of FOLDER as an open
descriptor. *Rebuild and retrain* is the same chain: the code of this working tree is the code, so nothing is fetched or built.
Asked to stop, it leaves no result; the next run under its key takes up what is done, and repeats no training that was over. Its
commands hold the lock too: where this process alone is killed, the run is at work until its command has ended.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from pedalflow.command import exits
from pedalflow.workspace import Workspace
from triggers.launchers import launcher
from triggers.launchers.answers import of_rollout, of_training, took_too_long, with_refused
from triggers.launchers.commands import Commands, Stopped, TookTooLong
from triggers.launchers.launcher import Seen, State
from triggers.launchers.launcher_settings import LocalSettings
from triggers.launchers.objects import files_of
from triggers.launchers.run_folder import RunFolder, note_process, read_json

TRAIN, ROLLOUT = "train", "rollout"


def chain(commands: Commands, settings: LocalSettings, objects: Sequence[str]) -> Seen:
    """Take in what can be taken in, train, and roll out what was blessed; what it came to.

    Raises:
        Stopped, TookTooLong: it came to nothing.
    """
    files, refused = files_of(objects, settings.buckets, settings.marker)
    return with_refused(_trained_and_rolled_out(commands, settings, files), refused)


def _trained_and_rolled_out(commands: Commands, settings: LocalSettings, files: Sequence[Path]) -> Seen:
    trained = _train(commands, files)
    if trained.outcome != launcher.CHALLENGER:
        return trained
    options = [ROLLOUT, trained.release, *settings.rollout_options]
    return of_rollout(trained, commands.ask(ROLLOUT, f"rolls out {trained.release}", options))


def _train(commands: Commands, files: Sequence[Path]) -> Seen:
    doing = f"takes in {len(files)} file{'s' * (len(files) > 1)} and trains" if files else "trains"
    taken = [word for file in files for word in ("--take-in", str(file))]
    return of_training(commands.ask(TRAIN, doing, [TRAIN, "--no-promote", *taken]))


def carry_out(folder: RunFolder, lock: int) -> int:
    """Do what the folder's order says and write the result; returns the exit code of this process."""
    order = read_json(folder.order) or {}
    workspace, settings = Workspace(Path(order["workspace"])), LocalSettings(**order["settings"])
    commands = Commands(folder, workspace, settings, lock)
    signal.signal(signal.SIGTERM, commands.stop)
    try:
        seen = chain(commands, settings, order["objects"])
    except Stopped:
        return exits.INTERRUPTED.code
    except TookTooLong:
        folder.finish(took_too_long(settings.timeout_s))
        os.killpg(0, signal.SIGKILL)  # with whatever did not heed SIGTERM; the result is written
    folder.finish(seen)
    return exits.OK.code


def main() -> int:
    """Entry point; an error that nobody foresaw ends the run, or it would be tried for ever."""
    folder, descriptor = RunFolder(Path(sys.argv[1])), int(sys.argv[2])
    os.set_inheritable(descriptor, False)  # only the commands are handed the lock, and nobody by accident
    note_process(descriptor)
    try:
        return carry_out(folder, descriptor)
    except Exception as error:
        traceback.print_exc()
        folder.finish(
            Seen(State.FAILED, note=f"unexpected {type(error).__name__}: {error}; {folder.log} has more")
        )
        return exits.UNEXPECTED.code


if __name__ == "__main__":
    sys.exit(main())
