"""A released model as a package: predict rows in your own process, without any server.

    from bikeshare_release import predict, release

    predict({"dteday": "2012-01-02", "hr": 8, …})      # → [212.3]
    release().name                                     # → "r-26fb0378a56a"

The files of the package are checked against their checksums when the model is first used.
"""

# `pedalflow wheel` copies this file as the `__init__.py` of the wheel, where `.scoring` is a copy of `serving/scoring`.
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .scoring.errors import BadRequest, ModelBroken
from .scoring.model import Model
from .scoring.request import RequestSchema

__all__ = ["BadRequest", "ModelBroken", "PackageBroken", "ReleaseInfo", "features", "predict", "release"]

_FOLDER = Path(__file__).parent
_RELEASE = "release.json"


class PackageBroken(RuntimeError):
    """A file of the package is missing or is not the one that was released; install the wheel again."""


@dataclass(frozen=True)
class ReleaseInfo:
    """Which release this is: its name (`r-…`), the sha256 of its manifest, the package's version, what is predicted, and the
    manifest's facts: the commit, spans, parameters and measured errors that it was made of.
    """

    name: str
    checksum: str
    version: str
    predicts: str
    facts: Mapping[str, Any]


def predict(rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[float]:
    """One prediction for each row, in the unit of what is predicted; a single mapping is one row.

    A row holds a value for every one of `features()`: plain `int`, `float` and, for a date, text as YYYY-MM-DD.

    Raises:
        BadRequest: a row cannot be predicted; `rule`, `row` (from 0), `field` and `value` say why.
        PackageBroken: the package was changed or is incomplete.
    """
    schema, model = _loaded()
    records = [rows] if isinstance(rows, Mapping) else list(rows)
    predictions: list[float] = model.predict(schema.from_records(records)).tolist()
    return predictions


def features() -> dict[str, str]:
    """The fields of a row, each with what may be sent for it in words. Raises PackageBroken as `predict` does."""
    return {field.name: field.takes for field in _loaded()[0].fields}


@lru_cache(maxsize=1)
def release() -> ReleaseInfo:
    """Which release the package holds. Raises PackageBroken where it does not say so."""
    written = _read_json(_RELEASE)
    facts = _read_json("manifest.json")["facts"]
    return ReleaseInfo(written["name"], written["checksum"], written["version"], written["predicts"], facts)


@lru_cache(maxsize=1)
def _loaded() -> tuple[RequestSchema, Model]:
    """Verify every file, then read the schema and open the model, once in a process."""
    for name, expected in _read_json(_RELEASE)["files"].items():
        try:
            found = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()
        except OSError as error:
            raise PackageBroken(
                f"{_FOLDER / name} cannot be read ({error}); install the wheel again"
            ) from error
        if found != expected:
            raise PackageBroken(f"{_FOLDER / name} was changed after its release; install the wheel again")
    return RequestSchema.from_json(_read_json("request_schema.json")), Model(_FOLDER / "model.onnx")


def _read_json(name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((_FOLDER / name).read_bytes())
    except (OSError, ValueError) as error:
        raise PackageBroken(f"{_FOLDER / name} cannot be read ({error}); install the wheel again") from error
    return content
