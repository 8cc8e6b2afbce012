"""What the Tuner found goes into params.yaml, and everything else in it stays as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.tuned import BEST, keep_tuned

PARAMS = """\
# What a run is made of.
use_case: bikeshare

model:          # tuned
  units: [128, 64]
  epochs: 40    # passes
  learning_rate: 0.003

registry:
  name: "bike-demand"  # quoted
  tracking_uri: null
"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return tmp_path / "params.yaml"


def found(folder: Path, **values: object) -> Path:
    (folder / BEST).write_text(json.dumps({"space": [], "values": values}), encoding="utf-8")
    return folder


def test_tuned_values_are_written_and_nothing_else_changes(params: Path, tmp_path: Path) -> None:
    assert keep_tuned(params, found(tmp_path, epochs=20, learning_rate=0.005)) == {
        "epochs": 20,
        "learning_rate": 0.005,
    }
    expected = PARAMS.replace("epochs: 40 ", "epochs: 20 ").replace("0.003", "0.005").replace(": null", ":")
    assert params.read_text(encoding="utf-8").replace(": null", ":") == expected


def test_values_that_stay_leave_the_text_as_it_is(params: Path, tmp_path: Path) -> None:
    keep_tuned(params, found(tmp_path, epochs=40))
    assert params.read_text(encoding="utf-8").replace(": null", ":") == PARAMS.replace(": null", ":")


def test_value_that_params_did_not_have_is_added(params: Path, tmp_path: Path) -> None:
    keep_tuned(params, found(tmp_path, embedding=16))
    assert "embedding: 16" in params.read_text(encoding="utf-8")


def test_no_draft_is_left(params: Path, tmp_path: Path) -> None:
    keep_tuned(params, found(tmp_path, epochs=20))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([BEST, "params.yaml"])
