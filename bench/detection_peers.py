"""What others would use to find drift, as they come: plain Kolmogorov-Smirnov, PSI, alibi-detect's and evidently's defaults."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
Verdict = Callable[[Array, Array], bool]

P_VALUE = 0.05
PSI_LIMIT, PSI_BINS = 0.2, 10
ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / ".venv" / "peers" / "bin" / "python"


def plain_ks(history: Array, window: Array) -> bool:
    """Any p-value below 0.05 ÷ the number of columns; missing values left out."""
    found = [
        stats.ks_2samp(a[np.isfinite(a)], b[np.isfinite(b)], method="asymp").pvalue
        for a, b in zip(history.T, window.T)
    ]
    return min(found) < P_VALUE / len(found)


def psi(history: Array, window: Array) -> bool:
    """Population stability index above 0.2 in any column, in ten bins of equal shares of history."""
    return any(_psi(a[np.isfinite(a)], b[np.isfinite(b)]) > PSI_LIMIT for a, b in zip(history.T, window.T))


def _psi(history: Array, window: Array) -> float:
    edges = np.unique(np.quantile(history, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
    expected, actual = (
        np.maximum(np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x), 1e-4)
        for x in (history, window)
    )
    return float(((actual - expected) * np.log(actual / expected)).sum())


def alibi_ks(history: Array, window: Array) -> bool:
    """`KSDrift(history)` with all its defaults."""
    from alibi_detect.cd import KSDrift

    return bool(KSDrift(history).predict(window)["data"]["is_drift"])


class Evidently:
    """Runs evidently in the peers' environment, beside us, on windows that are handed over in a file."""

    def __init__(
        self, names: Sequence[str], histories: Sequence[Array], windows: Sequence[tuple[int, Array]]
    ):
        self._folder = tempfile.TemporaryDirectory(prefix="pedalflow-bench-")
        given, self._result = (
            Path(self._folder.name) / "windows.npz",
            Path(self._folder.name) / "verdicts.npy",
        )
        arrays = {f"history_{i}": history for i, history in enumerate(histories)}
        arrays |= {f"window_{i}": window for i, (_, window) in enumerate(windows)}
        references = np.array([reference for reference, _ in windows])
        np.savez(given, names=np.array(names), references=references, **arrays)
        command = [
            str(PEERS_PYTHON),
            "-W",
            "ignore",
            "-m",
            "bench.detection_evidently",
            str(given),
            str(self._result),
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr)

    def verdicts(self) -> npt.NDArray[np.bool_]:
        """One for each window, when it has finished. Raises CalledProcessError where it failed."""
        code = self._process.wait()
        if code:
            raise subprocess.CalledProcessError(code, self._process.args)
        found: npt.NDArray[np.bool_] = np.load(self._result)
        self._folder.cleanup()
        return found
