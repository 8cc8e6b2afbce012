"""The folder of releases: each under its name, seen only when it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from pedalflow.release import Release, open_release
from pedalflow.whole_files import drafted_folder, give_name


def push_release(release: Release, releases: Path) -> Path:
    """Copy `release` to `releases/<name>` in one step that is all or nothing, and verify what arrived."""
    target = releases / release.name
    if target.is_dir():
        open_release(target, release.name)
        return target
    with drafted_folder(releases) as draft:
        shutil.copytree(release.folder, draft)
        open_release(draft, release.name)
        if not give_name(draft, target):  # somebody else pushed it meanwhile
            open_release(target, release.name)
    return target
