"""Forgets the folders of runs on this machine that were over long ago."""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path

from triggers.launchers.run_folder import RunFolder, take_lock

DAY_S = 86400.0

logger = logging.getLogger("pedalflow.triggers")


def forget_old(runs: Path, keep_days: float) -> None:
    """Remove the folders in which nothing has changed for `keep_days`, and in which nobody is at work."""
    before = time.time() - keep_days * DAY_S
    for path in sorted(runs.iterdir()):
        try:
            if path.is_dir() and _last_change(path) < before:
                _remove(RunFolder(path))
        except OSError as error:
            logger.warning("the folder %s of an old run cannot be removed: %s", path, error)


def _last_change(path: Path) -> float:
    return max(map(_changed, path.iterdir()), default=path.stat().st_mtime)


def _changed(entry: Path) -> float:
    try:
        return entry.lstat().st_mtime
    except FileNotFoundError:  # a draft that took its file's place meanwhile
        return time.time()


def _remove(folder: RunFolder) -> None:
    """Remove the folder under its lock; whoever wants to start a run in it at that moment has to try again."""
    descriptor = take_lock(folder.lock)
    if descriptor is None:
        return
    try:
        shutil.rmtree(folder.path)
    finally:
        os.close(descriptor)
