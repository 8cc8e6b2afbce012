"""The staged faults: each is caught by what it is staged for, and by nothing before it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import yaml

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.errors import SettingsError
from pedalflow.release import ONNX_MODEL, open_release
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import arrive
from pipelines.arrivals.violations import BatchRefused
from pipelines.provenance import REPOSITORY
from pipelines.settings import read_settings
from pipelines.staged import FACTOR, bad_batch, bad_parameters, bad_release
from tests.samples.small_release import sample_rows, small_release

PARAMS = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("span", range(2, 14))
def test_bad_batch_is_refused_for_its_unit_and_for_its_repeated_rows(tmp_path: Path, span: int) -> None:
    workspace, file = Workspace(tmp_path), tmp_path / "batch.csv"
    (tmp_path / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    file.write_bytes(bad_batch(cut_span(ARCHIVE, span), "temp"))
    with pytest.raises(BatchRefused) as refused:
        arrive(workspace, file)
    rules = {item.rule for item in refused.value.report.broken}
    assert {"temp_in_fahrenheit", "duplicate_hour"} <= rules


def test_bad_batch_names_a_column_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="temperature"):
        bad_batch(cut_span(ARCHIVE, 2), "temperature")


def test_bad_parameters_change_the_networks_training_and_nothing_else(tmp_path: Path) -> None:
    bad = bad_parameters(PARAMS)
    (tmp_path / "params.yaml").write_text(bad, encoding="utf-8")
    settings, before = read_settings(tmp_path / "params.yaml"), yaml.safe_load(PARAMS)
    after = settings.model_dump()
    assert (after["model"]["epochs"], after["model"]["members"]) == (1, 1)
    assert after["model"]["learning_rate"] <= 1e-6
    assert {name: after[name] for name in before if name != "model"} == {
        name: value for name, value in before.items() if name != "model"
    }
    assert [line.partition("#")[2] for line in bad.splitlines()] == [
        line.partition("#")[2] for line in PARAMS.splitlines()
    ]


def test_parameters_without_a_network_of_this_kind_cannot_be_made_bad() -> None:
    with pytest.raises(SettingsError, match="0 lines that set members"):
        bad_parameters("model:\n  epochs: 3\n  learning_rate: 0.1\n")


def test_bad_release_is_whole_has_its_own_name_and_answers_three_times_as_much(tmp_path: Path) -> None:
    good = small_release(tmp_path / "good")
    folder = bad_release(good.folder, tmp_path / "bad")
    bad = open_release(folder, folder.name)
    assert bad.name != good.name
    assert "on purpose" in str(bad.facts["staged"])
    rows = sample_rows(5)
    assert answers(folder, rows) == pytest.approx(FACTOR * answers(good.folder, rows))


def test_bad_release_made_twice_is_the_same_and_leaves_no_draft(tmp_path: Path) -> None:
    good = small_release(tmp_path / "good")
    first, second = (bad_release(good.folder, tmp_path / "bad") for _ in range(2))
    assert first == second
    assert [path.name for path in (tmp_path / "bad").iterdir()] == [first.name]


def answers(release: Path, rows: list[dict[str, object]]) -> np.ndarray:
    """What the ONNX graph of a release says of rows."""
    session = onnxruntime.InferenceSession(release / ONNX_MODEL, providers=["CPUExecutionProvider"])
    feeds = {}
    for wanted in session.get_inputs():
        values = [row[wanted.name] for row in rows]
        if isinstance(values[0], str):
            values = [(date.fromisoformat(str(value)) - date(1970, 1, 1)).days for value in values]
        kind = np.float32 if wanted.type == "tensor(float)" else np.int64
        feeds[wanted.name] = np.array(values, kind).reshape(-1, 1)
    return np.asarray(session.run(None, feeds)[0]).ravel()
