"""How fitted detectors travel inside a release: JSON and .npy files only, and the same bytes from the same content.

detectors.json    layout, and all that is no array
*.npy             arrays, named by detector and field; read without pickle
background.*.npy  the rows that contributions are measured against, one file a column
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detectors.concept import ConceptBaseline
from detectors.drift import DriftReference
from detectors.layout import Columns, Layout
from detectors.outliers import OutlierReference
from detectors.screening import ScreeningReference
from pedalflow.errors import ReleaseBroken

FORMAT = 1
FACTS = "detectors.json"
BACKGROUND = "background"
REMEDY = "train again, or take the release from the registry again"
PARTS = {
    "outliers": OutlierReference,
    "drift": DriftReference,
    "concept": ConceptBaseline,
    "screening": ScreeningReference,
}


@dataclass(frozen=True, eq=False)
class Detectors:
    """All that a release carries to judge its requests by. `background` are whole feature rows."""

    layout: Layout
    outliers: OutlierReference
    drift: DriftReference
    concept: ConceptBaseline
    screening: ScreeningReference
    background: Columns


def write_detectors(folder: Path, detectors: Detectors) -> None:
    """Write into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {"format": FORMAT, "layout": asdict(detectors.layout)}
    for part in PARTS:
        facts[part] = {}
        reference = getattr(detectors, part)
        for name in _names(type(reference)):
            value = getattr(reference, name)
            if isinstance(value, np.ndarray):
                _save(folder / f"{part}.{name}.npy", value)
            else:
                facts[part][name] = value
    for name, values in detectors.background.items():
        _save(folder / f"{BACKGROUND}.{name}.npy", values)
    text = json.dumps(facts, indent=2, sort_keys=True, allow_nan=False) + "\n"
    (folder / FACTS).write_text(text, encoding="utf-8")


def _save(path: Path, values: np.ndarray[Any, Any]) -> None:
    np.save(path, np.ascontiguousarray(values), allow_pickle=False)


def _names(part: type) -> list[str]:
    assert is_dataclass(part)
    return [field.name for field in fields(part) if field.name != "layout"]


def read_detectors(folder: Path) -> Detectors:
    """Read what `write_detectors` wrote.

    Raises:
        ReleaseBroken: a file is missing or unreadable, of another format, or its shape does not fit the layout.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']!r} is not {FORMAT}, which this version reads")
        layout = Layout(**{name: _tuples(value) for name, value in facts["layout"].items()})
        parts = {part: _read_part(folder, part, facts[part], layout) for part in PARTS}
        background = {name: _load(folder / f"{BACKGROUND}.{name}.npy") for name in layout.features}
        detectors = Detectors(layout=layout, background=background, **parts)
        _check(detectors)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise ReleaseBroken(f"the detectors in {folder} cannot be used ({error}); {REMEDY}") from error
    return detectors


def _read_part(folder: Path, part: str, facts: Mapping[str, Any], layout: Layout) -> Any:
    kind = PARTS[part]
    values = {
        name: _tuples(facts[name]) if name in facts else _load(folder / f"{part}.{name}.npy")
        for name in _names(kind)
    }
    if any(field.name == "layout" for field in fields(kind)):
        values["layout"] = layout
    return kind(**values)


def _load(path: Path) -> Any:
    return np.load(path, allow_pickle=False)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _check(detectors: Detectors) -> None:
    """Shapes that fit each other and values that are finite; raises ValueError with the name of what does not."""
    k = len(detectors.layout.numbers)
    outliers, drift, screening = detectors.outliers, detectors.drift, detectors.screening
    n = len(drift.days)
    rows = len(next(iter(detectors.background.values())))
    cells = len(outliers.combinations)
    shapes: dict[str, tuple[Any, tuple[int, ...]]] = {
        "outliers.low": (outliers.low, (k,)),
        "outliers.high": (outliers.high, (k,)),
        "outliers.coefficients": (outliers.coefficients, (2, outliers.coefficients.shape[1], k)),
        "outliers.whitening": (outliers.whitening, (2, k, k)),
        "outliers.distance_limit": (outliers.distance_limit, (2,)),
        "outliers.seen_days": (outliers.seen_days, (366,)),
        "outliers.combinations": (outliers.combinations, (cells, 3)),
        "outliers.expected": (outliers.expected, (cells,)),
        "outliers.excuses": (outliers.excuses, (len(outliers.excuses), 3)),
        "drift.days": (drift.days, (n,)),
        "drift.hours": (drift.hours, (n,)),
        "drift.numbers": (drift.numbers, (n, k)),
        "drift.knots": (drift.knots, (len(drift.knots), k)),
        "drift.relation": (drift.relation, (len(drift.relation), k)),
        "drift.seasonal_limits": (drift.seasonal_limits, (2, k)),
        "drift.unseasonal_limits": (drift.unseasonal_limits, (k,)),
        "drift.low": (drift.low, (k,)),
        "drift.high": (drift.high, (k,)),
        "drift.run_limits": (drift.run_limits, (k,)),
        "drift.missing_limits": (drift.missing_limits, (k,)),
        "screening.widths": (screening.widths, (k,)),
        "screening.noise": (screening.noise, (2,)),
        **{f"{BACKGROUND}.{name}": (values, (rows,)) for name, values in detectors.background.items()},
    }
    for name, (values, shape) in shapes.items():
        if values.shape != shape:
            raise ValueError(f"{name} has shape {values.shape} and should have {shape}")
