"""TFX component: records the run in MLflow and registers the release where the gate blessed it."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.examples_frame import read_split
from components.registration import Evidence, Registry, register
from components.use_cases import load_use_case
from components.verdict import read_verdict
from pedalflow.release import open_release
from pedalflow.run_record import PREDICTIONS

EXAMPLE_ROWS = 3


@component
def MlflowRegistrar(
    release: InputArtifact[standard_artifacts.Model],
    blessing: InputArtifact[standard_artifacts.ModelBlessing],
    model_run: InputArtifact[standard_artifacts.ModelRun],
    examples: InputArtifact[standard_artifacts.Examples],
    registration: OutputArtifact[standard_artifacts.String],
    use_case: Parameter[str],
    registry: Parameter[str],
    tags: Parameter[str],
) -> None:
    """`registry` and `tags` are JSON. The output holds the MLflow run and, for a blessed release, the model version."""
    evidence = Evidence(
        predictions=Path(blessing.uri) / PREDICTIONS,
        training_logs=Path(model_run.uri),
        example=read_split(Path(examples.uri) / "Split-eval").head(EXAMPLE_ROWS),
    )
    registered = register(
        Registry(**json.loads(registry)),
        open_release(Path(release.uri)),
        read_verdict(Path(blessing.uri)),
        evidence,
        load_use_case(use_case).features,
        json.loads(tags),
    )
    registration.value = json.dumps(vars(registered))
