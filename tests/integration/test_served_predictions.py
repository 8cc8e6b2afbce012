"""What serving computes is what the SavedModel computes: on every hour of 2012, through the request's own validation."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import tensorflow as tf

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.columns import FEATURES
from pedalflow.columns import Kind
from serving.scoring.model import Model
from serving.scoring.request import RequestSchema
from tests.integration.conftest import Trained

LIMIT = 1e-5
YEAR_2012 = range(2, 14)


def hours_of_2012() -> pd.DataFrame:
    return pd.concat(pd.read_csv(io.BytesIO(cut_span(ARCHIVE, span))) for span in YEAR_2012)


def example(row: dict[str, object]) -> bytes:
    """One row as the SavedModel takes it: a serialized tf.train.Example of raw features."""
    features = {}
    for column in FEATURES:
        value = row[column.name]
        if column.kind is Kind.DATE:
            value = int(np.datetime64(str(value), "D").astype(int))
        if column.kind is Kind.NUMBER:
            features[column.name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        else:
            features[column.name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_serving_and_the_savedmodel_agree_on_every_row_of_2012(first: Trained) -> None:
    names = [column.name for column in FEATURES]
    records = json.loads(hours_of_2012()[names].to_json(orient="records"))
    schema = RequestSchema.from_json(json.loads((first.release / "request_schema.json").read_text("utf-8")))
    served = Model(first.release / "model.onnx").predict(schema.from_records(records))

    saved = tf.saved_model.load(str(first.release / "model" / "Format-Serving"))
    answer = saved.signatures["serving_default"](tf.constant([example(row) for row in records]))
    expected = next(iter(answer.values())).numpy().reshape(-1)

    assert len(served) == 8734
    assert np.max(np.abs(served - expected) / np.abs(expected)) <= LIMIT
