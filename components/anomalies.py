"""What ExampleValidator found, as records that people can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorflow_metadata.proto.v0 import anomalies_pb2

from pedalflow.errors import AnomaliesFound
from pedalflow.run_record import Anomaly


def read_anomalies(folders: Mapping[str, Path]) -> tuple[Anomaly, ...]:
    """The anomalies of each split, from the folder that ExampleValidator wrote for it."""
    found: list[Anomaly] = []
    for split, folder in sorted(folders.items()):
        proto = anomalies_pb2.Anomalies.FromString((folder / "SchemaDiff.pb").read_bytes())
        for feature, info in sorted(proto.anomaly_info.items()):
            found.append(Anomaly(feature, split, info.short_description, info.description))
        if proto.HasField("dataset_anomaly_info"):
            info = proto.dataset_anomaly_info
            found.append(Anomaly("all features", split, info.short_description, info.description))
    return tuple(found)


def refuse_anomalies(found: Sequence[Anomaly]) -> None:
    """Raise AnomaliesFound unless `found` is empty."""
    if found:
        lines = "; ".join(f"{a.feature} ({a.split}): {a.long or a.short}" for a in found)
        raise AnomaliesFound(
            f"the examples break the curated schema, so nothing was trained: {lines}. "
            "Mend the data, or change the table of columns if the data is right."
        )
