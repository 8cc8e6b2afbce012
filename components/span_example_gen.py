"""TFX component: the examples of a window of spans, split by time.

It replaces CsvExampleGen, which takes one span and 150 µs a row (docs/decisions/0030-own-example-gen.md). All that decides its
output is an execution property, so that TFX's cache and Kubeflow's see every change: the spans with their hashes too.
"""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils, standard_artifacts

from components.span_examples import read_window, spans_from_json, split_by_day, write_examples
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
    case = load_use_case(use_case)
    window = spans_from_json(spans)
    table = read_window(window, model_columns(case))
    splits = split_by_day(table, case.date, first_evaluation_day)
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples.span = window[-1].number
    for name, rows in splits.items():
        write_examples(rows, Path(examples.uri) / f"Split-{name}")
