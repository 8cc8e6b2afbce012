"""TFDV's statistics as plain records."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.local_statistics_gen import FILE_NAME, split_statistics
from components.span_examples import write_examples
from pipelines.statistics import read_statistics

SMALL_PROTO = statistics_pb2.DatasetFeatureStatisticsList(
    datasets=[
        statistics_pb2.DatasetFeatureStatistics(
            features=[
                statistics_pb2.FeatureNameStatistics(
                    path={"step": ["hum"]},
                    num_stats=statistics_pb2.NumericStatistics(
                        common_stats=statistics_pb2.CommonStatistics(num_non_missing=8, num_missing=2),
                        mean=0.5,
                        std_dev=0.25,
                        min=0.0,
                        max=1.0,
                        histograms=[
                            statistics_pb2.Histogram(type=statistics_pb2.Histogram.QUANTILES),
                            statistics_pb2.Histogram(
                                type=statistics_pb2.Histogram.STANDARD,
                                buckets=[{"low_value": 0.0, "high_value": 1.0, "sample_count": 8.0}],
                            ),
                        ],
                    ),
                )
            ]
        )
    ]
)


def test_every_feature_of_every_split_is_read(tmp_path: Path) -> None:
    for split in ("train", "eval"):
        (tmp_path / split).mkdir()
        (tmp_path / split / FILE_NAME).write_bytes(SMALL_PROTO.SerializeToString())
    train, evaluation = read_statistics({split: tmp_path / split for split in ("train", "eval")})
    assert (train.split, evaluation.split) == ("train", "eval")
    assert (train.name, train.count, train.missing) == ("hum", 8, 2)
    assert (train.mean, train.std, train.low, train.high) == (0.5, 0.25, 0.0, 1.0)
    assert train.histogram == ((0.0, 1.0, 8.0),)


def test_statistics_of_written_examples_are_those_of_their_rows(tmp_path: Path) -> None:
    write_examples(
        pa.table({"hr": list(range(24)), "temp": pa.array([0.5] * 24, pa.float32())}), tmp_path / "examples"
    )
    (tmp_path / "statistics").mkdir()
    proto = split_statistics(tmp_path / "examples")
    (tmp_path / "statistics" / FILE_NAME).write_bytes(proto.SerializeToString())
    found = {item.name: item for item in read_statistics({"train": tmp_path / "statistics"})}
    assert set(found) == {"hr", "temp"}
    assert (found["hr"].count, found["hr"].missing, found["hr"].low, found["hr"].high) == (24, 0, 0.0, 23.0)
    assert found["hr"].mean == pytest.approx(11.5)
    assert found["temp"].std == pytest.approx(0.0)
    assert sum(count for _, _, count in found["hr"].histogram) == pytest.approx(24)
