"""TFX component: the examples of a window of spans, split by time.

It replaces CsvExampleGen, which takes one span and 150 µs a row (docs/decisions/0030-own-example-gen.md). All that decides its
output is an execution property, so that TFX's cache and Kubeflow's see every change: the spans with their hashes too.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.experimental.simple_artifacts import File

from components.span_examples import (
    SpanFile,
    below,
    read_window,
    spans_from_json,
    split_by_day,
    write_examples,
)
from components.use_cases import load_use_case, model_columns


@component
def SpanExampleGen(
    examples: OutputArtifact[standard_artifacts.Examples],
    use_case: Parameter[str],
    spans: Parameter[str],
    first_evaluation_day: Parameter[str],
    code: Parameter[str],
) -> None:
    """Write the splits `train` and `eval`; columns that leak the label are not even written. `code` tells the cache apart."""
    _write(examples, use_case, spans_from_json(spans), first_evaluation_day)


@component
def SpanFolderExampleGen(
    folder: InputArtifact[File],
    examples: OutputArtifact[standard_artifacts.Examples],
    use_case: Parameter[str],
    spans: Parameter[str],
    first_evaluation_day: Parameter[str],
    code: Parameter[str],
) -> None:
    """The same from spans whose paths are relative to an imported folder, which is how a cluster brings data in."""
    window = below(Path(folder.uri), spans_from_json(spans))
    _write(examples, use_case, window, first_evaluation_day)


def _write(
    examples: standard_artifacts.Examples,
    use_case: str,
    window: tuple[SpanFile, ...],
    first_evaluation_day: str,
) -> None:
    case = load_use_case(use_case)
    table = read_window(window, model_columns(case))
    splits = split_by_day(table, case.date, first_evaluation_day)
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples.span = window[-1].number
    for name, rows in splits.items():
        write_examples(rows, Path(examples.uri) / f"Split-{name}")
