"""The only module that calls DVC: by its Python API, in one process, with typed errors and no usage reports.

Only DVC's files are touched, never git: whoever works in a git repository commits the pointers.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pedalflow.errors import DataMissing, RunFailed
from pedalflow.workspace import Workspace

if TYPE_CHECKING:
    from dvc.repo import Repo

_REMOTE = "local"


def initialise(workspace: Workspace) -> None:
    """Make the workspace a DVC repository of its own with a default local remote, unless it is one. All or nothing.

    A workspace that is not the root of a git repository is told so (`no_scm`), also where it lies inside one.
    """
    final = workspace.root / ".dvc"
    if final.exists():
        return
    from dvc.repo import Repo  # here, since reading the store must not pay for the import

    with tempfile.TemporaryDirectory(prefix=".dvc-init-", dir=workspace.root) as made, _quiet():
        Repo.init(made, no_scm=True).close()
        (Path(made) / ".dvc" / "config").write_text(_config(workspace), encoding="utf-8")
        (Path(made) / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
        os.replace(Path(made) / ".dvcignore", workspace.root / ".dvcignore")
        os.replace(Path(made) / ".dvc", final)


def _config(workspace: Workspace) -> str:
    scm = "" if (workspace.root / ".git").exists() else "    no_scm = True\n"
    return (
        f"[core]\n{scm}    analytics = false\n    check_update = false\n    autostage = false\n    remote = {_REMOTE}\n"
        f"['remote \"{_REMOTE}\"']\n    url = ../state/dvc-remote\n"
    )


def track(workspace: Workspace, file: Path, description: str, meta: Mapping[str, object]) -> Path:
    """`dvc add`: copies the file into DVC's cache and writes its pointer beside it; returns the pointer. Raises RunFailed."""
    from dvc.exceptions import DvcException

    try:
        with _opened(workspace) as repo:
            (stage,) = repo.add([str(file)])
            stage.desc, stage.meta = description, dict(meta)
            stage.dump()
    except DvcException as error:
        raise RunFailed(
            f"DVC could not version {file}: {error}; `dvc doctor` in {workspace.root} shows its set-up"
        ) from error
    return file.with_name(file.name + ".dvc")


def fetch(workspace: Workspace, pointer: Path) -> None:
    """`dvc pull`: brings the pointer's file back from DVC's cache or the default remote. Raises DataMissing."""
    from dvc.exceptions import DvcException

    try:
        with _opened(workspace) as repo:
            repo.pull([str(pointer)])
    except DvcException as error:
        raise DataMissing(
            f"DVC cannot bring back the file of {pointer.name}; it is neither in the raw archive, nor in DVC's cache, "
            f"nor in the remote that {workspace.root / '.dvc' / 'config'} names: ask whoever added it to run `dvc push`"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without DVC's own progress reports on stdout; its warnings and errors stay."""
    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _opened(workspace: Workspace) -> Iterator[Repo]:
    from dvc.repo import Repo

    # Without git DVC does not refuse pointers in the git-ignored staging folder; its own files stay inside the workspace.
    core = {"no_scm": True, "site_cache_dir": str(workspace.root / ".dvc" / "tmp" / "site")}
    with _quiet(), Repo(str(workspace.root), config={"core": core}) as repo:
        yield repo
