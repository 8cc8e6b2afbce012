"""evidently's data-set drift flag with its defaults, on windows from a file. Runs in the peers' environment.

python -m bench.detection_evidently WINDOWS.npz VERDICTS.npy
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def main(argv: list[str]) -> int:
    """Write one verdict for each window; returns 0."""
    given, result = argv
    with np.load(given) as arrays:
        names, references = arrays["names"], arrays["references"]
        histories = {i: pd.DataFrame(arrays[f"history_{i}"], columns=names) for i in np.unique(references)}
        verdicts = [
            drifted(pd.DataFrame(arrays[f"window_{place}"], columns=names), histories[reference])
            for place, reference in enumerate(references)
        ]
    np.save(result, np.array(verdicts, bool))
    return 0


def drifted(window: pd.DataFrame, history: pd.DataFrame) -> bool:
    """Whether at least half of the columns drifted, which is what makes evidently call the data set drifted."""
    metrics = Report([DataDriftPreset()]).run(window, history).dict()["metrics"]
    (share,) = [
        m["value"]["share"] for m in metrics if isinstance(m["value"], dict) and "share" in m["value"]
    ]
    return bool(share >= 0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
