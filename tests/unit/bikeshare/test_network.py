"""The network: positive rates, growth only through its offset, the same bytes twice, and a graph that ONNX
can hold.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

os.environ["TF_USE_LEGACY_KERAS"] = "0"  # before Keras is imported: tensorflow_transform would set it to 1

import keras
import onnxruntime
import tensorflow as tf
import tf2onnx

from bikeshare.layers import MemberEmbedding
from bikeshare.network import (
    CATEGORIES,
    FEATURES,
    NUMBERS,
    Hyperparameters,
    build,
    fit,
    seed_everything,
)

ROOT = Path(__file__).parents[3]
SMALL = Hyperparameters(members=2, units=(16, 8), epochs=3, batch_size=64)
PRINT_HASH = """
from tests.unit.bikeshare.test_network import SMALL, rows, trained, weights_hash
print(weights_hash(trained(SMALL, *rows(512))))
"""


def rows(size: int, seed: int = 3) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Made-up hours whose demand has an hourly profile."""
    random = np.random.default_rng(seed)
    features: dict[str, np.ndarray] = {"t": (random.integers(0, 730, (size, 1)) / 365.25).astype(np.float32)}
    features |= {name: random.integers(0, most, (size, 1)) for name, most in CATEGORIES.items()}
    features |= {name: random.normal(size=(size, 1)).astype(np.float32) for name in NUMBERS}
    count = random.poisson(np.exp(4.0 + 1.5 * np.sin(features["hr"] / 4.0)))
    return features, count


def trained(
    hyperparameters: Hyperparameters,
    features: dict[str, np.ndarray],
    count: np.ndarray,
    growth_rate: float = 0.3,
) -> keras.Model:
    seed_everything(hyperparameters)
    model = build(hyperparameters, growth_rate)
    fit(model, features, count, hyperparameters)
    return model


@pytest.fixture(scope="module")
def model() -> Iterator[keras.Model]:
    yield trained(SMALL, *rows(512))
    keras.backend.clear_session()


def weights_hash(model: keras.Model) -> str:
    return hashlib.sha256(b"".join(weights.tobytes() for weights in model.get_weights())).hexdigest()


def predict(model: keras.Model, features: dict[str, np.ndarray]) -> np.ndarray:
    return model(features).numpy()


def test_the_expected_count_is_positive_one_for_each_row(model: keras.Model) -> None:
    features, _ = rows(100, seed=5)
    extreme = {**features, "temp": features["temp"] * 20, "windspeed": features["windspeed"] * 20}
    for given in (features, extreme):
        prediction = predict(model, given)
        assert prediction.shape == (100, 1)
        assert np.isfinite(prediction).all()
        assert (prediction > 0).all()


def test_without_growth_a_year_makes_no_difference() -> None:
    features, count = rows(512)
    model = trained(SMALL, features, count, 0.0)
    later = {**features, "t": features["t"] + 1.0}
    np.testing.assert_allclose(predict(model, later), predict(model, features), rtol=1e-3)


def test_after_the_last_training_day_a_year_changes_the_prediction_by_the_growth_rate_alone(
    model: keras.Model,
) -> None:
    features, _ = rows(512)
    after = {**features, "t": features["t"] + 2.0}
    later = {**features, "t": features["t"] + 3.0}
    np.testing.assert_allclose(predict(model, later), predict(model, after) * np.exp(0.3), rtol=1e-3)


def test_the_members_differ_and_the_prediction_is_their_mean(model: keras.Model) -> None:
    features, _ = rows(50)
    log_rates = keras.Model(model.inputs, model.get_layer("member_log_rates").output)(features).numpy()
    assert log_rates.shape == (50, SMALL.members)
    assert np.abs(log_rates[:, 0] - log_rates[:, 1]).max() > 1e-3
    np.testing.assert_allclose(predict(model, features)[:, 0], np.exp(log_rates).mean(axis=1), rtol=1e-5)


def test_training_lowers_the_loss_and_learns_the_hourly_profile() -> None:
    features, count = rows(4096)
    hyperparameters = replace(SMALL, epochs=15, learning_rate=0.01)
    seed_everything(hyperparameters)
    model = build(hyperparameters, 0.0)
    loss = fit(model, features, count, hyperparameters).loss
    assert len(loss) == hyperparameters.epochs
    assert loss[-1] < loss[0]
    unseen, truth = rows(1000, seed=9)
    error = np.sqrt(np.mean((predict(model, unseen) - truth) ** 2))
    assert error < 0.3 * truth.std()


def test_columns_without_the_second_axis_train_the_same_model(model: keras.Model) -> None:
    features, count = rows(512)
    flat = trained(SMALL, {name: values[:, 0] for name, values in features.items()}, count[:, 0])
    for ours, theirs in zip(flat.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_process_trains_byte_identical_weights(model: keras.Model) -> None:
    assert hash_in_another_process() == weights_hash(model)


def test_another_seed_trains_other_weights(model: keras.Model) -> None:
    other = trained(replace(SMALL, seed=1), *rows(512))
    assert any(
        (ours != theirs).any() for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True)
    )


def test_a_log_folder_gets_the_loss_for_tensorboard(tmp_path: Path) -> None:
    features, count = rows(128)
    seed_everything(SMALL)
    fit(build(SMALL), features, count, SMALL, tmp_path / "logs")
    events = list((tmp_path / "logs").glob("events.out.tfevents.*"))
    steps = {
        event.step for event in tf.compat.v1.train.summary_iterator(str(events[0])) if event.summary.value
    }
    assert steps == set(range(SMALL.epochs))


def test_a_saved_model_loads_with_the_same_predictions(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    features, _ = rows(64)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(loaded, features), predict(model, features))


def test_onnx_opset_17_holds_the_whole_graph_and_agrees(model: keras.Model) -> None:
    signature = [
        tf.TensorSpec([None, 1], "int64" if name in CATEGORIES else "float32", name) for name in FEATURES
    ]
    function = tf.function(lambda *tensors: model(dict(zip(FEATURES, tensors, strict=True))), autograph=False)
    converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    features, _ = rows(300, seed=11)
    answer = session.run(
        None,
        {
            name: features[name].astype(spec.dtype.name)
            for name, spec in zip(FEATURES, signature, strict=True)
        },
    )[0]
    np.testing.assert_allclose(answer, predict(model, features), rtol=1e-5)


def test_an_unknown_hyperparameter_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="learning_rat'"):
        Hyperparameters.from_mapping({"learning_rat": 0.1})


@pytest.mark.parametrize(
    ("field", "value"),
    [("members", 0), ("epochs", -1), ("units", []), ("units", [8, 0]), ("weight_decay", -0.1)],
)
def test_a_hyperparameter_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Hyperparameters.from_mapping({field: value})


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("learning_rate", "fast", "a finite number"),
        ("learning_rate", float("nan"), "a finite number"),
        ("weight_decay", True, "a finite number"),
        ("epochs", 2.5, "a whole number"),
        ("members", True, "a whole number"),
        ("seed", None, "a whole number"),
        ("units", 64, "a list of whole numbers"),
        ("units", "64", "a list of whole numbers"),
        ("units", [64, 8.0], "a list of whole numbers"),
    ],
)
def test_a_hyperparameter_of_another_type_is_refused_with_its_name_and_what_it_must_be(
    field: str, value: object, wanted: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field} is .*must be {wanted}"):
        Hyperparameters.from_mapping({field: value})


def test_a_whole_number_is_a_number() -> None:
    assert Hyperparameters.from_mapping({"learning_rate": 1, "weight_decay": 0}).learning_rate == 1


def test_a_list_of_units_from_a_parameter_file_equals_the_tuple() -> None:
    assert Hyperparameters.from_mapping({"units": [8, 4]}) == Hyperparameters(units=(8, 4))


def test_fewer_rows_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="10 rows"):
        fit(build(SMALL), *rows(10), SMALL)


def test_training_that_diverges_is_refused_and_names_the_learning_rate() -> None:
    features, count = rows(512)
    broken = {**features, "temp": np.full_like(features["temp"], np.nan)}
    with pytest.raises(ValueError, match="learning_rate"):
        fit(build(SMALL), broken, count, SMALL)


def hash_in_another_process() -> str:
    settings = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-W", "ignore", "-c", PRINT_HASH]
    done = subprocess.run(
        command, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_table_gives_the_same_bits_in_training_and_in_answering_and_clips_unknown_codes() -> None:
    table = MemberEmbedding(members=3, size=5, length=4)
    codes = tf.constant([[0], [4], [2], [5], [70], [-1]], tf.int64)
    trained, answered = (table(codes, training=training).numpy() for training in (True, False))
    assert trained.tobytes() == answered.tobytes()
    weights = table.table.numpy()
    assert np.array_equal(answered, weights[:, [0, 4, 2, 4, 4, 0]])
