"""The metrics that modules of a runtime export, from the tables they are made of: `python exported_metrics.py MODULE…` prints
{name: labels} as JSON, labels of all modules together where a name stands in several."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def main(modules: list[str]) -> None:
    """Print what the tables `METRICS` of the modules say."""
    found: dict[str, set[str]] = {}
    for module in modules:
        for metric in importlib.import_module(module).METRICS:
            found.setdefault(metric.name, set()).update(metric.labels)
    print(json.dumps({name: sorted(labels) for name, labels in found.items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
