"""TFDV's statistics as plain records for the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorflow_metadata.proto.v0 import statistics_pb2

from pedalflow.run_record import FeatureStatistics


def read_statistics(folders: Mapping[str, Path]) -> tuple[FeatureStatistics, ...]:
    """The statistics of every numeric feature in each split, from the folders that StatisticsGen wrote."""
    return tuple(
        _feature(split, feature)
        for split, folder in folders.items()
        for dataset in _read(folder / "FeatureStats.pb").datasets
        for feature in dataset.features
    )


def _read(path: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())


def _feature(split: str, feature: statistics_pb2.FeatureNameStatistics) -> FeatureStatistics:
    numbers = feature.num_stats
    histogram = next((h for h in numbers.histograms if h.type == statistics_pb2.Histogram.STANDARD), None)
    buckets = (
        ()
        if histogram is None
        else tuple((b.low_value, b.high_value, b.sample_count) for b in histogram.buckets)
    )
    return FeatureStatistics(
        name=feature.path.step[0] if feature.path.step else feature.name,
        split=split,
        count=int(numbers.common_stats.num_non_missing),
        missing=int(numbers.common_stats.num_missing),
        mean=numbers.mean,
        std=numbers.std_dev,
        low=numbers.min,
        high=numbers.max,
        histogram=buckets,
    )
