"""TFX component: the detectors that a release carries, all in one node, because on a cluster each node pays for its own start."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.detector_fitting import fit
from components.use_cases import load_use_case
from detectors.fitting import FittingSettings
from detectors.stored import write_detectors
from pedalflow.release import ONNX_MODEL, TRAINED_EXTRA


@component
def DetectorFitter(
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    detectors: OutputArtifact[standard_artifacts.Model],
    use_case: Parameter[str],
    settings: Parameter[str],
    code: Parameter[str],
) -> None:
    """`settings` is JSON, the section `detectors` of `params.yaml`; `code` tells the cache apart."""
    fitted = fit(
        load_use_case(use_case),
        Path(examples.uri),
        Path(model.uri) / TRAINED_EXTRA / ONNX_MODEL,
        FittingSettings(**json.loads(settings)),
    )
    write_detectors(Path(detectors.uri), fitted)
