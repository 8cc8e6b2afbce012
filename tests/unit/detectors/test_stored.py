"""Detectors come back from a folder as they went in, the same content makes the same bytes, and a broken folder is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detectors.drift import judge_window
from detectors.fitting import FittingSettings, fit_detectors
from detectors.outliers import OutlierJudge
from detectors.screening import screen
from detectors.stored import Detectors, read_detectors, write_detectors
from pedalflow.errors import ReleaseBroken
from tests.unit.detectors.hours import LAYOUT, Hours, PlainModel


@pytest.fixture
def folder(detectors: Detectors, tmp_path: Path) -> Path:
    write_detectors(tmp_path / "detectors", detectors)
    return tmp_path / "detectors"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_was_written_judges_as_before(
    detectors: Detectors, folder: Path, second_year: Hours, model: PlainModel
) -> None:
    again = read_detectors(folder)
    rows = second_year[:500]
    assert again.layout == LAYOUT and again.concept == detectors.concept
    assert (
        OutlierJudge(again.outliers).rows(rows.columns).reasons
        == OutlierJudge(detectors.outliers).rows(rows.columns).reasons
    )
    week = rows[:168].columns
    assert judge_window(again.drift, week) == judge_window(detectors.drift, week)
    predictions = model(rows.columns)
    assert screen(rows.columns, rows.labels, predictions, again) == screen(
        rows.columns, rows.labels, predictions, detectors
    )
    for name in LAYOUT.features:
        np.testing.assert_array_equal(again.background[name], detectors.background[name])


def test_the_same_data_give_the_same_bytes(
    folder: Path, tmp_path: Path, split: tuple[Hours, Hours], model: PlainModel
) -> None:
    train, evaluation = split
    again = fit_detectors(
        train.columns, train.labels, evaluation.columns, evaluation.labels, model, LAYOUT, FittingSettings()
    )
    write_detectors(tmp_path / "again", again)
    assert contents(tmp_path / "again") == contents(folder)
    write_detectors(tmp_path / "read", read_detectors(folder))
    assert contents(tmp_path / "read") == contents(folder)


def test_only_json_and_arrays_without_pickles_are_written(folder: Path) -> None:
    assert {path.suffix for path in folder.iterdir()} == {".json", ".npy"}
    for path in folder.glob("*.npy"):
        np.load(path, allow_pickle=False)


def test_the_whole_folder_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("detectors.json", None),
        ("drift.numbers.npy", None),
        ("background.hr.npy", None),
        ("detectors.json", b"{}"),
        ("detectors.json", b"[1, 2"),
        ("outliers.whitening.npy", b""),
        ("drift.days.npy", b"\x93NUMPY nonsense"),
    ],
)
def test_a_missing_or_broken_file_is_refused_with_a_remedy(
    folder: Path, name: str, content: bytes | None
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ReleaseBroken, match="train again"):
        read_detectors(folder)


@pytest.mark.parametrize(
    "name",
    [
        "drift.days",
        "drift.seasonal_limits",
        "outliers.low",
        "screening.noise",
        "drift.relation",
        "background.hr",
    ],
)
def test_an_array_of_another_shape_is_refused(folder: Path, name: str) -> None:
    path = folder / f"{name}.npy"
    np.save(path, np.load(path)[..., :-1] if name != "screening.noise" else np.zeros(5))
    with pytest.raises(ReleaseBroken, match=r"has shape .* should have"):
        read_detectors(folder)


def test_a_pickle_is_refused(folder: Path) -> None:
    np.save(folder / "outliers.low.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ReleaseBroken):
        read_detectors(folder)


def test_another_format_is_refused(folder: Path) -> None:
    facts = json.loads((folder / "detectors.json").read_text(encoding="utf-8"))
    (folder / "detectors.json").write_text(json.dumps({**facts, "format": 99}), encoding="utf-8")
    with pytest.raises(ReleaseBroken, match="format 99"):
        read_detectors(folder)
