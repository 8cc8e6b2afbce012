"""Detectors in alibi-detect's saved form, and what `pedalflow detectors` shows of a release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedalflow.errors import RunFailed, SettingsError
from serving import detectors_command
from serving.alibi_export import (
    LEAST_DETERMINANT,
    DriftExport,
    OutlierExport,
    check_drift,
    check_outlier,
    drift_export,
    load_outlier,
    outlier_export,
    p_values,
    request_rows,
    save_drift,
    save_outlier,
    shortest,
    thinned,
)
from serving.served import Served, load_served
from tests.samples.small_release import small_release

MIDSUMMER = 15150  # 2011-06-25
WEEK = 168


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return load_served(small_release(tmp_path_factory.mktemp("release")).folder)


@pytest.fixture(scope="module")
def drift(served: Served) -> DriftExport:
    return drift_export(served.detectors.drift, served.schema.names, MIDSUMMER)


@pytest.fixture(scope="module")
def outlier(served: Served) -> OutlierExport:
    return outlier_export(served.detectors.outliers, served.detectors.drift, served.schema.names)


@pytest.fixture(scope="module")
def exported(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "detectors"
    given = [
        "export",
        "--release",
        str(served.release.folder),
        "--output",
        str(folder),
        "--date",
        "2012-06-24",
    ]
    assert detectors_command.main(given) == 0
    return folder


def midsummer_week(served: Served) -> np.ndarray:
    """A week of requests of the season, one row an hour, as the tensor of a client."""
    reference = served.detectors.drift
    at = int(np.searchsorted(reference.days, MIDSUMMER - 3))
    rows = request_rows(reference, served.schema.names, len(reference.days))
    return rows[at : at + WEEK]


def position(served: Served, name: str) -> int:
    return served.schema.names.index(name)


def drifted(exported: Path, rows: np.ndarray) -> bool:
    from alibi_detect.saving import load_detector

    return bool(load_detector(exported / "drift").predict(rows)["data"]["is_drift"])


def test_a_week_of_the_season_is_no_drift(served: Served, exported: Path) -> None:
    assert not drifted(exported, midsummer_week(served))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("hum", lambda values: np.full_like(values, values[0])),
        ("windspeed", lambda values: values * 3.6 + 0.3),
        ("temp", lambda values: values * 1.8 + 0.3),
    ],
    ids=["stuck", "another unit", "Fahrenheit"],
)
def test_a_stuck_sensor_and_another_unit_are_drift(
    served: Served, exported: Path, name: str, change: Any
) -> None:
    rows = midsummer_week(served)
    rows[:, position(served, name)] = change(rows[:, position(served, name)])
    assert drifted(exported, rows)


def test_columns_that_drift_does_not_look_at_change_nothing(served: Served, exported: Path) -> None:
    rows = midsummer_week(served)
    rows[:, [position(served, name) for name in ("dteday", "weathersit", "hr")]] += 1000
    assert not drifted(exported, rows)


def test_the_p_value_alarms_no_more_often_than_stated(served: Served, drift: DriftExport) -> None:
    assert drift.calibration_alarms / drift.calibration_windows <= served.detectors.drift.false_alarm_rate
    assert drift.usual_alarms / drift.calibration_windows > 0.8


def test_the_reference_holds_rows_of_the_season_as_requests_bring_them(
    served: Served, drift: DriftExport
) -> None:
    reference = served.detectors.drift
    season = np.abs(reference.days - MIDSUMMER) <= 21
    assert drift.season_rows == season.sum()
    assert len(drift.reference) == reference.window_rows
    assert {tuple(row) for row in drift.reference} <= {
        tuple(row) for row in shortest(reference.numbers[season])
    }


def test_a_season_that_training_has_not_seen_cannot_be_exported(served: Served) -> None:
    from dataclasses import replace

    full = served.detectors.drift
    spring = (full.days > 14965) & (full.days < 15050)
    short = replace(full, days=full.days[spring], hours=full.hours[spring], numbers=full.numbers[spring])
    with pytest.raises(SettingsError, match="give a --date that training has seen"):
        drift_export(short, served.schema.names, MIDSUMMER + 90)


def test_values_get_their_shortest_decimals_back() -> None:
    values = np.array([[0.24, 0.2879], [1.0, 0.0]])
    assert shortest(values.astype(np.float32).astype(np.float64)).tolist() == values.tolist()


def test_thinned_rows_are_evenly_spaced_and_never_more_than_there_are() -> None:
    rows = np.arange(10.0)[:, None]
    assert thinned(rows, 4)[:, 0].tolist() == [0, 3, 6, 9]
    assert thinned(rows, 100)[:, 0].tolist() == rows[:, 0].tolist()


def test_our_p_values_are_those_of_alibi_detect(drift: DriftExport, served: Served, tmp_path: Path) -> None:
    from alibi_detect.saving import load_detector

    save_drift(drift, tmp_path / "drift")
    rows = midsummer_week(served)
    found = load_detector(tmp_path / "drift").predict(rows)["data"]["p_val"]
    expected = p_values(drift.reference, rows[:, list(drift.positions)])
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_outlier_detector_flags_the_share_that_ours_was_fitted_to(served: Served, exported: Path) -> None:
    rows = request_rows(served.detectors.drift, served.schema.names, len(served.detectors.drift.days))
    flagged = load_outlier(exported / "outlier").predict(rows)["data"]["is_outlier"]
    assert flagged.mean() == pytest.approx(served.detectors.outliers.flag_rate, abs=2 / len(rows))


def test_the_outlier_detector_finds_what_lies_far_away(served: Served, exported: Path) -> None:
    rows = midsummer_week(served)[:5]
    rows[2, [position(served, name) for name in ("temp", "atemp", "hum", "windspeed")]] = [
        1.5,
        -0.5,
        -1.0,
        2.0,
    ]
    flagged = load_outlier(exported / "outlier").predict(rows)["data"]["is_outlier"]
    assert flagged.tolist() == [0, 0, 1, 0, 0]


def test_the_outlier_detector_does_not_learn_from_an_attack(served: Served, exported: Path) -> None:
    detector = load_outlier(exported / "outlier")
    rows = midsummer_week(served)
    before = detector.predict(rows)["data"]["instance_score"]
    attack = rows.copy()
    attack[:, position(served, "hum")] = 5.0
    for _ in range(50):
        detector.predict(attack)
    assert detector.predict(rows)["data"]["instance_score"] == pytest.approx(before, rel=1e-6)
    assert detector.predict(attack)["data"]["is_outlier"].all()


def test_only_components_that_alibi_detect_can_invert_are_used(outlier: OutlierExport) -> None:
    variances = np.linalg.eigvalsh(outlier.covariance)[-outlier.components :]
    assert np.prod(variances) > LEAST_DETERMINANT


def test_a_detector_that_comes_back_as_another_one_is_noticed(
    served: Served, drift: DriftExport, outlier: OutlierExport, tmp_path: Path
) -> None:
    from dataclasses import replace

    rows = midsummer_week(served)
    save_drift(replace(drift, reference=drift.reference + 0.2), tmp_path / "drift")
    with pytest.raises(RunFailed, match="loaded back, the detector differs"):
        check_drift(drift, tmp_path / "drift", rows)
    save_outlier(replace(outlier, mean=outlier.mean + 0.2), tmp_path / "outlier")
    with pytest.raises(RunFailed, match="loaded back, the detector differs"):
        check_outlier(outlier, tmp_path / "outlier", rows)


def test_the_readme_says_how_to_start_the_server_and_what_is_lost(served: Served, exported: Path) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    for part in (
        served.release.name,
        "2012-06-24",
        f"--drift_batch_size {WEEK}",
        "--model_name",
        "Concept drift",
        ", ".join(served.schema.names),
    ):
        assert part in text


def test_an_export_can_be_made_again_but_never_over_something_else(
    served: Served, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--json", "export", "--release", str(served.release.folder), "--output"]
    assert detectors_command.main([*given, str(exported), "--date", "2012-06-24"]) == 0
    assert json.loads(capsys.readouterr().out)["drift_batch_size"] == WEEK
    (tmp_path / "mine").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError, match="holds something else"):
        detectors_command.main([*given, str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def as_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "mine",
    ["README.md", "notes.txt", "drift/notes.txt", "models/x.dill"],
    ids=["another README", "a file beside", "a file inside", "a folder beside"],
)
def test_a_folder_that_holds_more_than_an_export_is_left_as_it_is(
    served: Served, exported: Path, tmp_path: Path, mine: str
) -> None:
    folder = shutil.copytree(exported, tmp_path / "detectors")
    (folder / mine).parent.mkdir(exist_ok=True)
    (folder / mine).write_text("# Detectors of my house\n", encoding="utf-8")
    before = as_bytes(tmp_path)
    with pytest.raises(SettingsError, match="left as it is"):
        detectors_command.main(["export", "--release", str(served.release.folder), "--output", str(folder)])
    assert as_bytes(tmp_path) == before


def test_a_folder_with_only_a_readme_is_no_export(served: Served, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# My project\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="left as it is"):
        detectors_command.main(["export", "--release", str(served.release.folder), "--output", str(tmp_path)])
    assert list(as_bytes(tmp_path)) == ["README.md"]


@pytest.mark.parametrize("output", [".", "/", "../project"])
def test_the_folder_one_stands_in_is_no_export_either(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "mine").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(SettingsError, match="left as it is"):
        detectors_command.main(["export", "--release", str(served.release.folder), "--output", output])
    assert list(as_bytes(tmp_path)) == ["project/mine"]


def test_an_empty_folder_is_filled_and_nothing_is_left_beside_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    detectors_command.main(["export", "--release", str(served.release.folder), "--output", "."])
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert {path.name for path in (tmp_path / "empty").iterdir()} == {"README.md", "drift", "outlier"}


def test_a_date_that_is_none_is_a_wrong_setting(served: Served, tmp_path: Path) -> None:
    given = ["export", "--release", str(served.release.folder), "--output", str(tmp_path / "out")]
    with pytest.raises(SettingsError, match="'soon' is no date"):
        detectors_command.main([*given, "--date", "soon"])


def test_what_is_shown_has_a_row_for_every_detector(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["show", "--release", str(served.release.folder)]
    assert detectors_command.main(["--json", *given]) == 0
    content = json.loads(capsys.readouterr().out)
    assert {row["detector"] for row in content["detectors"]} == {
        "outliers",
        "data drift",
        "concept drift",
        "contributions",
    }
    assert detectors_command.main(given) == 0
    text = capsys.readouterr().out
    assert served.release.name in text and "5% of windows" in text
