"""What a running service leaves in its workspace: private tokens of this machine, and where it listens."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pedalflow.errors import ServingFailed
from pedalflow.whole_files import drafted, write_whole
from pedalflow.workspace import Workspace
from triggers.launchers.run_folder import is_locked

ADDRESS_FILE, SERVING_LOCK = "service.json", "serve.lock"


def secrets_folder(workspace: Workspace) -> Path:
    """Where the private tokens of this machine are."""
    return workspace.triggers / "secrets"


def make_tokens(folder: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """A file with a random token for each name that has none yet, which only its owner may read. Returns those that were made.

    Raises ServingFailed where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return tuple(path for name in names if _make_token(path := folder / name))
    except OSError as error:
        raise ServingFailed(
            f"no tokens can be written to {folder} ({error.strerror}); make it writable, or name secrets in the settings"
        ) from error


def _make_token(path: Path) -> bool:
    """Whether the file was made; a reader sees all of it or nothing."""
    if path.exists():
        return False
    with drafted(path) as draft:
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32) + "\n", encoding="ascii")
    return True


@contextmanager
def announced(workspace: Workspace, address: str, token_files: Mapping[str, Path]) -> Iterator[None]:
    """While the block runs, `service.json` says where the service listens and which files hold the tokens of its sources."""
    path = workspace.triggers / ADDRESS_FILE
    content = {
        "address": address,
        "pid": os.getpid(),
        "token_files": {source: str(file) for source, file in token_files.items()},
    }
    write_whole(path, json.dumps(content, indent=2) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_service(workspace: Workspace) -> dict[str, Any]:
    """What the service of a workspace says of itself.

    That it runs is known by its lock: what a killed one said stays behind, and by then anybody may have its port and its process id.

    Raises ServingFailed where none runs.
    """
    none = ServingFailed(
        f"no service runs in {workspace.root}; start it with `pedalflow triggers serve`, or name one with --address"
    )
    if not is_locked(workspace.triggers / SERVING_LOCK):
        raise none
    try:
        content: object = json.loads((workspace.triggers / ADDRESS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise none from error
    if not isinstance(content, dict):
        raise none
    return content
