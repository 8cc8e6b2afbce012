"""A release: one immutable folder that holds a model and all that belongs to it.

    manifest.json          what it was made of, and the sha256 of every other file
    model/                 a TFX Model artifact: Format-Serving/ is the SavedModel
    model.onnx             the same model for serving, preprocessing included
    schema.pbtxt           the curated schema of the examples
    request_schema.json    JSON Schema of a prediction request
    detectors/             what was fitted to judge its requests by: outliers, drift, concept drift, background rows
    model_card.md          for people

Nothing in it tells the time, so the same commit and data give the same bytes. A release is known by its checksum, the sha256 of
`manifest.json`, and named after its beginning. It holds data only, no pickles: safe to load on any interpreter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import ReleaseBroken

MANIFEST = "manifest.json"
ONNX_MODEL = "model.onnx"
MODEL_ARTIFACT = "model"
SCHEMA = "schema.pbtxt"
REQUEST_SCHEMA = "request_schema.json"
MODEL_CARD = "model_card.md"
DETECTORS = "detectors"
FORMAT = 1
TRAINED_EXTRA = "Format-Serving/assets.extra"  # where the Trainer puts what is no part of its SavedModel
REMEDY = "move the folder away, and the next training fetches the release from the registry"


@dataclass(frozen=True)
class Release:
    """A verified release: its folder, its name (`r-` and 12 hex digits), its checksum and what the manifest says."""

    folder: Path
    name: str
    checksum: str
    facts: Mapping[str, object]


def seal(folder: Path, facts: Mapping[str, object]) -> Release:
    """Write the manifest over the files that `folder` holds, which makes it a release."""
    files = {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}
    manifest = {"format": FORMAT, "facts": facts, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return open_release(folder)


def open_release(folder: Path, expected: str | None = None) -> Release:
    """Check every file against the manifest and, where it is known, the manifest against the release's `expected` name.

    Raises:
        ReleaseBroken: the manifest is missing or unreadable, a file is missing, changed or not listed, or it is another release.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        manifest = json.loads(text)
        listed, facts, version = dict(manifest["files"]), manifest["facts"], manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseBroken(f"{path} is missing or no manifest ({error}); {REMEDY}") from error
    if version != FORMAT:
        raise ReleaseBroken(
            f"{path} has format {version!r}, but this version of Pedalflow reads format {FORMAT}"
        )
    found = {str(file.relative_to(folder)): file for file in _files(folder)}
    for problem, names in (
        ("missing", listed.keys() - found.keys()),
        ("not in the manifest", found.keys() - listed.keys()),
        (
            "changed",
            {name for name, file in found.items() if name in listed and _sha256(file) != listed[name]},
        ),
    ):
        if names:
            raise ReleaseBroken(f"release {folder}: {', '.join(sorted(names))} {problem}; {REMEDY}")
    checksum = hashlib.sha256(text).hexdigest()
    name = f"r-{checksum[:12]}"
    if expected not in (None, name):
        raise ReleaseBroken(f"{folder} should be release {expected} but is {name}; {REMEDY}")
    return Release(folder, name, checksum, facts)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
