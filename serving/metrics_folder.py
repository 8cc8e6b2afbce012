"""The folder in which the processes of one server keep their metrics. prometheus-client wants it named before it is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics_folder() -> None:
    """Name a new folder, which is removed when this process ends; one that the environment names already is kept."""
    if FOLDER in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="pedalflow-metrics-")
    os.environ[FOLDER] = folder
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
