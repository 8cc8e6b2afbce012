"""Refused files and why: `data/quarantine/<time>-<name>/` holds the file as it arrived, `report.json` and `report.txt`."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pedalflow.workspace import Workspace
from pipelines.arrivals.violations import BatchReport


@dataclass(frozen=True)
class Quarantined:
    """One refused file. `rules` maps each broken rule to how often it was broken."""

    folder: str
    file: str
    arrived: str
    rules: dict[str, int]
    first: str


def keep(workspace: Workspace, raw: bytes, report: BatchReport) -> Path:
    """Put a refused file into quarantine as a whole; returns its folder."""
    workspace.quarantine.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", Path(report.file).name)
    stem = f"{report.arrived.replace(':', '').replace('-', '')}-{name}"
    writing = workspace.quarantine / f".{stem}.{os.getpid()}"
    writing.mkdir()
    (writing / name).write_bytes(raw)
    (writing / "report.json").write_text(
        json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
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
    first = report["broken"][0]["violations"][0]
    where = (
        f"row {first['row']}, column {first['column']}, value {first['value']}"
        if first["row"]
        else "the file as a whole"
    )
    return Quarantined(
        str(path.parent), report["file"], report["arrived"], rules, f"{where}: {first['hint']}"
    )
