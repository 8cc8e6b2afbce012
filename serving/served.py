"""What answers requests: a verified release with everything that was read from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detectors.outliers import OutlierJudge
from detectors.stored import Detectors, read_detectors
from pedalflow.champion import read_pointer
from pedalflow.errors import ReleaseBroken
from pedalflow.release import DETECTORS, MANIFEST, ONNX_MODEL, REQUEST_SCHEMA, Release, open_release
from serving.scoring.errors import ModelBroken
from serving.scoring.model import Model
from serving.scoring.request import DTYPES, RequestSchema

_REMEDY = "`pedalflow train --force` makes a release anew"


@dataclass(frozen=True)
class Served:
    """A release and what it serves with. Requests in flight keep theirs while another one takes its place."""

    release: Release
    schema: RequestSchema
    model: Model
    detectors: Detectors
    judge: OutlierJudge


def release_folder(place: Path) -> tuple[Path, str | None]:
    """The folder of the release that `place` names, itself or by a pointer, and the checksum that it must have, if known.

    Raises:
        ReleaseBroken: there is neither a folder nor a pointer, or the folder is no release.
    """
    if place.is_dir():
        if not (place / MANIFEST).exists():
            raise ReleaseBroken(
                f"{place} is no release (it has no {MANIFEST}); give a release's folder or the file that points to one"
            )
        return place, None
    pointer = read_pointer(place)
    return pointer.folder, pointer.checksum


def load_served(place: Path) -> Served:
    """Verify the release at `place`, a folder or a pointer, load all of it, and let it predict once.

    Raises:
        ReleaseBroken: a file is missing or changed, or the model, the request schema and the detectors do not fit together.
    """
    folder, checksum = release_folder(place)
    release = open_release(folder)
    if checksum not in (None, release.checksum):
        raise ReleaseBroken(
            f"{place} points to the release with checksum {checksum}, but {folder} holds {release.checksum}; "
            "promote the release again"
        )
    schema = _read_schema(folder / REQUEST_SCHEMA)
    detectors = read_detectors(folder / DETECTORS)
    try:
        model = Model(folder / ONNX_MODEL)
    except ModelBroken as error:
        raise ReleaseBroken(f"release {release.name}: {error}; {_REMEDY}") from error
    served = Served(release, schema, model, detectors, OutlierJudge(detectors.outliers))
    _warm(served)
    return served


def _read_schema(path: Path) -> RequestSchema:
    try:
        return RequestSchema.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseBroken(
            f"{path} does not describe requests that can be read ({error}); {_REMEDY}"
        ) from error


def _warm(served: Served) -> None:
    """Predict and judge a row, so that the first request is no slower than the others and a broken release is found now."""
    row: dict[str, Any] = {field.name: field.low for field in served.schema.fields}
    if set(served.model.inputs) != set(served.schema.names):
        raise ReleaseBroken(
            f"release {served.release.name}: the model takes {', '.join(served.model.inputs)}, but requests have "
            f"{', '.join(served.schema.names)}; {_REMEDY}"
        )
    columns = {field.name: np.array([row[field.name]], DTYPES[field.kind]) for field in served.schema.fields}
    try:
        served.model.predict(columns)
        served.judge.rows(columns)
        served.judge.row(row)
    except Exception as error:  # whatever the libraries below raise, this release cannot serve
        raise ReleaseBroken(
            f"release {served.release.name} cannot predict a row at the low end of its ranges ({error}); {_REMEDY}"
        ) from error
