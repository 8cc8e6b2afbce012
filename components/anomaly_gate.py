"""TFX component: stops the run where ExampleValidator found anomalies. TFX itself would only write them down."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.anomalies import read_anomalies, refuse_anomalies


@component
def AnomalyGate(
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
) -> None:
    """Raise AnomaliesFound, naming every anomaly, unless there is none."""
    folders = {
        split: Path(artifact_utils.get_split_uri([anomalies], split))
        for split in artifact_utils.decode_split_names(anomalies.split_names)
    }
    refuse_anomalies(read_anomalies(folders))
