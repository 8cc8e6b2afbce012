"""Refused files and why: `data/quarantine/<time>-<name>/` holds the file as `arrived-<name>`, `report.json` and `report.txt`."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pedalflow.workspace import Workspace
from pipelines.arrivals.violations import BatchReport, Violation

# File systems take 255 bytes; a folder's name adds the time, a process id and a number to it.
_LONGEST_NAME = 150


@dataclass(frozen=True)
class Quarantined:
    """One refused file. `rules` maps each broken rule to how often it was broken; all texts are fit to be printed."""

    folder: str
    file: str
    arrived: str
    rules: dict[str, int]
    first: str


def keep(workspace: Workspace, raw: bytes, report: BatchReport) -> Path:
    """Put the bytes of a refused file into quarantine; returns their folder."""
    workspace.quarantine.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", report.file)[:_LONGEST_NAME]
    stem = f"{report.arrived.replace(':', '').replace('-', '')}-{name}"
    writing = workspace.quarantine / f".{stem}.{os.getpid()}"
    writing.mkdir()
    (writing / f"arrived-{name}").write_bytes(raw)
    (writing / "report.json").write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="ascii")
    (writing / "report.txt").write_text(report.to_text(), encoding="utf-8")
    folder = _free(workspace.quarantine / stem)
    os.replace(writing, folder)
    return folder


def sweep(workspace: Workspace) -> None:
    """Remove what a process left that died while it put a file into quarantine."""
    for left in workspace.quarantine.glob(".*-*"):
        shutil.rmtree(left)


def _free(folder: Path) -> Path:
    """The folder itself, or with a number behind it where files of that name were refused within the same second."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def list_quarantine(workspace: Workspace) -> tuple[Quarantined, ...]:
    """All refused files, oldest first."""
    return tuple(_read(path) for path in sorted(workspace.quarantine.glob("[!.]*/report.json")))


def _read(path: Path) -> Quarantined:
    report = json.loads(path.read_text(encoding="utf-8"))
    rules: dict[str, int] = {}
    for item in report["broken"]:
        rules[item["rule"]] = rules.get(item["rule"], 0) + item["count"]
    first = Violation(**report["broken"][0]["violations"][0])
    return Quarantined(str(path.parent), report["file"], report["arrived"], rules, first.sentence())
