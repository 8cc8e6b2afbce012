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
from components.stand_in import onnx_of
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
    _judge(examples, model, evaluation, blessing, use_case, rules, Path(champion) if champion else None)


@component
def AcceptanceGateWithChampion(
    examples: InputArtifact[standard_artifacts.Examples],
    model: InputArtifact[standard_artifacts.Model],
    champion: InputArtifact[standard_artifacts.Model],
    evaluation: InputArtifact[standard_artifacts.ModelEvaluation],
    blessing: OutputArtifact[standard_artifacts.ModelBlessing],
    use_case: Parameter[str],
    rules: Parameter[str],
    code: Parameter[str],
) -> None:
    """The same where the champion is an artifact, or the stand-in for one: on a cluster there are no optional inputs."""
    _judge(examples, model, evaluation, blessing, use_case, rules, onnx_of(Path(champion.uri)))


def _judge(
    examples: standard_artifacts.Examples,
    model: standard_artifacts.Model,
    evaluation: standard_artifacts.ModelEvaluation,
    blessing: standard_artifacts.ModelBlessing,
    use_case: str,
    rules: str,
    champion: Path | None,
) -> None:
    candidate = Path(model.uri) / TRAINED_EXTRA / ONNX_MODEL
    verdict, predictions = assess(
        load_use_case(use_case), Path(examples.uri), candidate, champion, Rules(**json.loads(rules))
    )
    check_against_tfma(verdict.evaluation, Path(evaluation.uri))
    write_verdict(verdict, predictions, Path(blessing.uri))
    blessed = not failures(verdict.gates)
    blessing.set_int_custom_property("blessed", int(blessed))
    (Path(blessing.uri) / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
