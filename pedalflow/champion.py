"""Which release serves: a small file that training writes when it promotes and that the serving processes watch.

The registry's alias is the truth; this file is what it was set to last, where a process without MLflow can read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import ReleaseBroken
from pedalflow.whole_files import write_whole

REMEDY = "`pedalflow train` writes it when a release is promoted"


@dataclass(frozen=True)
class Pointer:
    """A release by name (`r-…`), by the checksum of its manifest, and by the folder it lies in."""

    release: str
    checksum: str
    folder: Path


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Let `path` point to another release; a reader sees the old content or the new, never half of it."""
    content = {"release": pointer.release, "checksum": pointer.checksum, "folder": str(pointer.folder)}
    write_whole(path, json.dumps(content, indent=2) + "\n")


def read_pointer(path: Path) -> Pointer:
    """What `path` points to; a relative folder is taken from where the file lies.

    Raises:
        ReleaseBroken: there is no such file, or it is no pointer.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        release, checksum, folder = (str(content[key]) for key in ("release", "checksum", "folder"))
    except FileNotFoundError as error:
        raise ReleaseBroken(f"{path} does not exist, so no release serves yet; {REMEDY}") from error
    except OSError as error:
        raise ReleaseBroken(f"{path} cannot be read ({error.strerror}); {REMEDY}") from error
    except (ValueError, KeyError, TypeError) as error:  # which may repeat the content
        raise ReleaseBroken(f"{path} is no pointer to a release; {REMEDY}") from error
    return Pointer(release, checksum, path.parent / folder)
