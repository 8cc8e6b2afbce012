"""TFX component: the use case's curated schema as an artifact. On a cluster there is no file that ImportSchemaGen could be pointed to."""

from pathlib import Path

from google.protobuf import text_format
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.use_cases import load_function, load_use_case

FILE_NAME = "schema.pbtxt"  # where TFX's components look


@component
def CuratedSchema(
    schema: OutputArtifact[standard_artifacts.Schema],
    use_case: Parameter[str],
    code: Parameter[str],
) -> None:
    """Write the schema that the use case's code makes; `code` tells the cache apart."""
    made = load_function(load_use_case(use_case).schema)()
    (Path(schema.uri) / FILE_NAME).write_text(text_format.MessageToString(made), encoding="utf-8")
