"""The Kolmogorov-Smirnov statistic by alibi-detect, in the place of `detectors.drift.scipy_statistic`.

alibi-detect takes two seconds and 250 MB to import, so it is imported with the first call only.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np

from detectors.layout import Array

NAME = "KSDrift"


def alibi_statistic(reference: Array, window: Array) -> tuple[Array, Array]:
    """Distances and p-values [k] of alibi-detect's KSDrift, which is built from the reference rows. Distances are float32 there."""
    p_values, distances = _ks_drift(reference).score(window)
    return np.asarray(distances, np.float64), np.asarray(p_values, np.float64)


def _ks_drift(reference: Array) -> Any:
    os.environ.setdefault(
        "TRANSFORMERS_NO_ADVISORY_WARNINGS", "1"
    )  # alibi-detect imports it and has no use for it here
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from alibi_detect.cd import KSDrift

    return KSDrift(reference, p_val=0.05)


def version() -> str:
    """The version of alibi-detect."""
    from alibi_detect import __version__

    return str(__version__)
