"""The folder in which the processes of one server keep their metrics. prometheus-client wants it named before it is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
IN_MEMORY = Path("/dev/shm")  # on a full disk a new page of a mapped file would end the process
_PREFIX = "pedalflow-metrics-"


def share_metrics_folder() -> None:
    """Name a new folder, which is removed when this process ends; one that the environment names already is kept.

    What servers that were killed have left is removed first.
    """
    if FOLDER in os.environ:
        return
    place = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _sweep(place)
    owner = os.getpid()
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{owner}-", dir=place)
    os.environ[FOLDER] = folder
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another server that starts was faster
            if (
                owner.isdecimal()
                and not Path("/proc", owner).exists()
                and folder.stat().st_uid == os.getuid()
            ):
                shutil.rmtree(folder, ignore_errors=True)
