"""A release, and two weeks of real hours in which the thermometer is stuck: `python tests/samples/stuck_thermometer.py FOLDER` in the
serving runtime makes the release inside the folder and prints {"release": its folder, "name": its name, "rows": [the hours]} as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from small_release import (  # beside this file: the runtime has another package `tests`
    sample_rows,
    small_release,
)

HOURS = 2 * 168  # two windows of the detector


def main(folder: Path) -> None:
    """Make it and say it."""
    release = small_release(folder)
    rows = [{**row, "temp": 0.5} for row in sample_rows(HOURS)]
    print(json.dumps({"release": str(release.folder), "name": release.name, "rows": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
