"""What ExampleValidator found, read and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.anomalies import read_anomalies, refuse_anomalies
from pedalflow.errors import AnomaliesFound
from pedalflow.run_record import Anomaly


def written(folder: Path, proto: anomalies_pb2.Anomalies) -> Path:
    folder.mkdir()
    (folder / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
    return folder


def anomaly(short: str, long: str) -> anomalies_pb2.AnomalyInfo:
    return anomalies_pb2.AnomalyInfo(short_description=short, description=long)


@pytest.fixture
def found(tmp_path: Path) -> tuple[Anomaly, ...]:
    bad = anomalies_pb2.Anomalies(anomaly_info={"hum": anomaly("Out-of-range", "Unexpectedly high: 1.5")})
    bad.dataset_anomaly_info.CopyFrom(anomaly("Few examples", ""))
    folders = {
        "train": written(tmp_path / "train", bad),
        "eval": written(tmp_path / "eval", anomalies_pb2.Anomalies()),
    }
    return read_anomalies(folders)


def test_anomalies_are_read_with_feature_and_split(found: tuple[Anomaly, ...]) -> None:
    assert found == (
        Anomaly("hum", "train", "Out-of-range", "Unexpectedly high: 1.5"),
        Anomaly("all features", "train", "Few examples", ""),
    )


def test_any_anomaly_stops_the_run_and_all_are_named(found: tuple[Anomaly, ...]) -> None:
    with pytest.raises(AnomaliesFound) as refused:
        refuse_anomalies(found)
    assert "hum (train): Unexpectedly high: 1.5" in str(refused.value)
    assert "all features (train): Few examples" in str(refused.value)


def test_no_anomaly_lets_the_run_go_on() -> None:
    refuse_anomalies(())
