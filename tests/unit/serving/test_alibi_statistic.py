"""alibi-detect's statistic is ours within the precision of its numbers, and costs nothing before it is used."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from detectors.drift import judge_window, scipy_statistic
from detectors.stored import read_detectors
from pedalflow.release import DETECTORS
from serving.alibi_statistic import alibi_statistic
from tests.samples.small_release import sample_columns, small_release


@pytest.mark.parametrize("rows", [30, 168, 500])
def test_distances_equal_those_of_scipy(rows: int) -> None:
    random = np.random.default_rng(7)
    reference, window = random.normal(size=(1000, 3)).round(2), random.normal(0.2, 1.1, (rows, 3)).round(2)
    distances, p_values = alibi_statistic(reference, window)
    ours, our_p_values = scipy_statistic(reference, window)
    assert distances == pytest.approx(ours, abs=1e-6)
    assert p_values == pytest.approx(
        our_p_values, abs=0.05
    )  # exact there, asymptotic here; shown, not judged by


def test_the_verdict_on_a_window_is_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    release = small_release(tmp_path_factory.mktemp("release"))
    reference = read_detectors(release.folder / DETECTORS).drift
    for first in (0, 3000, 8000):
        window = {name: values[first : first + 168] for name, values in sample_columns().items()}
        ours, theirs = judge_window(reference, window), judge_window(reference, window, alibi_statistic)
        assert theirs.is_drift == ours.is_drift
        assert theirs.score == pytest.approx(ours.score, abs=1e-6)


def test_alibi_detect_is_imported_with_the_first_call_only() -> None:
    code = "import sys, serving.event_service, serving.alibi_statistic; print('alibi_detect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
