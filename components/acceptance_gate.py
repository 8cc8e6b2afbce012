"""TFX component: judges the candidate by the rules of `params.yaml` and blesses it, or says why not.

TFMA's figures, computed by the Evaluator from the SavedModel, must agree with those computed here from ONNX: what was evaluated
is then what will be served. The blessing's folder holds `verdict.json` and `predictions.csv`.
"""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.acceptance import Rules, failures
from components.use_cases import load_use_case
from components.verdict import assess, check_against_tfma, write_verdict
from pedalflow.release import ONNX_MODEL, TRAINED_EXTRA


@component
def AcceptanceGate(
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    evaluation: InputArtifact[standard_artifacts.ModelEvaluation],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    use_case: Parameter[str],
    rules: Parameter[str],
    champion: Parameter[str],
    code: Parameter[str],
) -> None:
    """`rules` is JSON; `champion` is the ONNX model of the blessed release, or empty before the first one; `code` tells the cache apart."""
    case = load_use_case(use_case)
    candidate = Path(model.uri) / TRAINED_EXTRA / ONNX_MODEL
    verdict, predictions = assess(
        case, Path(examples.uri), candidate, Path(champion) if champion else None, Rules(**json.loads(rules))
    )
    check_against_tfma(verdict.evaluation, Path(evaluation.uri))
    write_verdict(verdict, predictions, Path(blessing.uri))
    blessed = not failures(verdict.gates)
    blessing.set_int_custom_property("blessed", int(blessed))
    (Path(blessing.uri) / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
