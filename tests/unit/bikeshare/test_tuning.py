"""The search: judged by the last training days, started from params.yaml, by a deviance that is right."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "0"  # before Keras is imported: tensorflow_transform would set it to 1

from bikeshare.hyperparameters import checked
from bikeshare.network import Hyperparameters
from bikeshare.tuning import CHOICES, poisson_deviance, search_space, split_last_days
from pedalflow.errors import SettingsError


def test_last_days_validate_and_all_before_train() -> None:
    days = np.repeat([10, 11, 12, 14], 2).reshape(-1, 1)
    train, validation = split_last_days({"dteday": days, "cnt": np.arange(8).reshape(-1, 1)}, 3)
    assert train["cnt"].ravel().tolist() == [0, 1, 2, 3]
    assert validation["cnt"].ravel().tolist() == [4, 5, 6, 7]


def test_deviance_of_a_perfect_prediction_is_zero() -> None:
    count = np.array([[1.0], [7.0]])
    assert poisson_deviance(count, count) == pytest.approx(0.0)


def test_deviance_of_a_known_case_with_a_zero_count() -> None:
    found = poisson_deviance(np.array([[0.0], [4.0]]), np.array([[3.0], [2.0]]))
    assert found == pytest.approx((2 * 3.0 + 2 * (4 * np.log(2.0) - 2.0)) / 2)


def test_search_starts_at_the_present_values_even_where_they_are_no_choice() -> None:
    start = Hyperparameters(learning_rate=0.0042, epochs=7)
    space = search_space(start)
    assert space.values == {name: getattr(start, name) for name in CHOICES}


def test_every_choice_is_a_valid_hyperparameter() -> None:
    for name, values in CHOICES.items():
        for value in values:
            assert checked({name: value})[name] == value


def test_hyperparameters_are_completed_and_plain() -> None:
    complete = checked({"units": [8, 4], "weight_decay": 0})
    assert complete["units"] == [8, 4]
    assert set(complete) == set(Hyperparameters.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", "1e-5"),
        ("learning_rate", None),
        ("learning_rate", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("epochs", 0),
        ("units", 8),
        ("units", ["8"]),
        ("units", []),
        ("weight_decay", -1.0),
        ("unheard_of", 1),
    ],
)
def test_wrong_hyperparameter_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"params.yaml, section model: .*{name}"):
        checked({name: value})
