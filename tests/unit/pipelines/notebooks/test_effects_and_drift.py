"""What a model does with its inputs, and its drift detector at work, on a small real release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bikeshare.use_case import USE_CASE
from detectors.concept import ConceptBaseline
from detectors.stored import Detectors, read_detectors
from pedalflow.release import DETECTORS
from pipelines.notebooks import concept_views, drift_views, effects, slices
from pipelines.notebooks.opening import ORIGIN
from tests.samples.small_release import sample_columns, small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("releases")).folder


@pytest.fixture(scope="module")
def detectors(release: Path) -> Detectors:
    return read_detectors(release / DETECTORS)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """All hours of 2011."""
    hours = pd.DataFrame(dict(sample_columns())).rename(columns={"count": "cnt"})
    return hours.assign(day=ORIGIN + pd.to_timedelta(hours["dteday"], unit="D"))


def test_an_input_that_matters_changes_the_prediction(release: Path, rows: pd.DataFrame) -> None:
    curve = effects.dependence(release, effects.sample(rows), USE_CASE, "hr", [3, 18])
    assert curve["mean"].iloc[1] > 1.2 * curve["mean"].iloc[0]


def test_shuffling_what_the_model_ignores_costs_nothing(release: Path, rows: pd.DataFrame) -> None:
    found = effects.permutation(release, effects.sample(rows), USE_CASE, {"hour": ["hr"], "date": ["dteday"]})
    assert found["columns"].tolist() == ["hour", "date"]
    assert found["RMSE +"].iloc[0] > 1.0 and found["RMSE +"].iloc[1] == pytest.approx(0.0)


def test_attributions_add_up_to_the_prediction(release: Path, rows: pd.DataFrame) -> None:
    explained = effects.attributed(release, rows.iloc[[100]], USE_CASE)
    assert explained.base + sum(explained.by_feature.values()) == pytest.approx(explained.prediction)


def test_a_what_if_is_compared_with_what_was(release: Path, rows: pd.DataFrame) -> None:
    found = effects.what_ifs(release, rows.iloc[[100]], USE_CASE, {"later": {"hr": 17}})
    assert found["if"].tolist() == ["as it was", "later"]
    assert found["difference"].iloc[0] == 0.0 and found["difference"].iloc[1] != 0.0


def test_weeks_of_the_reference_alarm_rarely_where_they_are_held_back(
    detectors: Detectors, rows: pd.DataFrame
) -> None:
    weeks = drift_views.weeks(detectors.drift, rows.iloc[: 168 * 12], USE_CASE, held_back=True)
    assert weeks["drifts"].sum() <= 2 and weeks["naive"].mean() > 0.8


@pytest.mark.parametrize(
    ("change", "test"),
    [
        (drift_views.stuck("temp"), "repeats"),
        (drift_views.scaled("hum", 100), "range"),
        (drift_views.missing("hum", 10), "missing"),
        (drift_views.scaled("temp", 1, 0.1), "relation"),
    ],
)
def test_each_fault_is_found_by_its_test(
    change: drift_views.Change, test: str, detectors: Detectors, rows: pd.DataFrame
) -> None:
    window = rows.iloc[168 * 20 : 168 * 22]
    found = drift_views.found_by(
        detectors.drift, window, USE_CASE, {"fault": change, "nothing": drift_views.unchanged}
    )
    assert found[test].tolist() == [100.0, 0.0]


def test_days_that_leave_the_predictions_alarm_and_own_days_do_not(
    release: Path, detectors: Detectors, rows: pd.DataFrame
) -> None:
    judged = slices.judged(release, rows.iloc[-24 * 40 :], USE_CASE)
    usual = concept_views.timeline(detectors.concept, judged, "cnt")
    doubled = concept_views.timeline(detectors.concept, judged.assign(cnt=4 * judged["cnt"]), "cnt")
    assert not usual["alarm"].any()
    assert doubled["alarm"].any()
    assert concept_views.first_alarm(usual) == "The sums stayed below their limit."
    assert "after" in concept_views.first_alarm(doubled)


def test_false_alarms_are_counted_beside_what_was_promised() -> None:
    baseline = ConceptBaseline(0.0, 0.1, 0.0, 1.0, 24.0, 1.0, 5.0, 0.5, 300, 14)
    own = pd.DataFrame({"alarm": np.zeros(365, bool), "three sigma": np.ones(365, bool)})
    found = concept_views.false_alarms(own, baseline)
    assert found["alarms"].tolist() == [0, 365] and found["promised"].iloc[0] == pytest.approx(0.5)
