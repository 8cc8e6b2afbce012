"""The folder of releases: each under its name, seen only when it is whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pedalflow.release import Release, open_release


def push_release(release: Release, releases: Path) -> Path:
    """Copy `release` to `releases/<name>` in one step that is all or nothing, and verify what arrived."""
    target = releases / release.name
    if target.is_dir():
        open_release(target, release.name)
        return target
    releases.mkdir(parents=True, exist_ok=True)
    draft = releases / f".{release.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(release.folder, draft)
    open_release(draft, release.name)
    draft.rename(target)
    return target
