"""The names that placeholders of the docs stand for, when they are asked for: `python known.py release`."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

DATABASE = "state/triggers/triggers.sqlite"


def release() -> str:
    """The champion."""
    return str(json.loads(Path("state/serving/champion.json").read_text(encoding="utf-8"))["release"])


def another_release() -> str:
    """One that is not the champion."""
    return next(path.name for path in sorted(Path("state/releases").glob("r-*")) if path.name != release())


def run() -> str:
    """The newest run of the retraining service."""
    return _newest("runs")


def event() -> str:
    """The newest event of the retraining service."""
    return _newest("events")


def version() -> str:
    """The version that was deployed last."""
    address = f"{os.environ['PEDALFLOW_KFP_HOST']}/apis/v2beta1/pipelines"
    [pipeline] = _asked(address)["pipelines"]
    versions = _asked(f"{address}/{pipeline['pipeline_id']}/versions")["pipeline_versions"]
    return str(versions[-1]["pipeline_version_id"])


def _newest(table: str) -> str:
    """What was begun last; a decision may take a while."""
    until, found = time.monotonic() + 60, None
    while found is None and time.monotonic() < until:
        with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as connection:
            found = connection.execute(f"SELECT id FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
        time.sleep(0.1 if found is None else 0)
    assert found is not None, f"there is nothing in {table}"
    return str(found[0])


def _asked(address: str) -> dict[str, list[dict[str, str]]]:
    with urllib.request.urlopen(address, timeout=30) as answer:
        found: dict[str, list[dict[str, str]]] = json.load(answer)
    return found


if __name__ == "__main__":
    print({one.__name__: one for one in (release, another_release, run, event, version)}[sys.argv[1]]())
