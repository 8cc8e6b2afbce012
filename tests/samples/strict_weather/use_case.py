"""The use case: bike sharing's, with weather codes that end at 2; the real ones end at 4."""

from __future__ import annotations

from dataclasses import replace

from tensorflow_metadata.proto.v0 import schema_pb2

from bikeshare import schema, use_case

HIGHEST_CODE = 2


def strict_schema() -> schema_pb2.Schema:
    """bikeshare's schema with one narrower range."""
    strict = schema.schema()
    weather = next(feature for feature in strict.feature if feature.name == "weathersit")
    weather.int_domain.max = HIGHEST_CODE
    return strict


USE_CASE = replace(
    use_case.USE_CASE, name="strict_weather", schema="tests.samples.strict_weather.use_case.strict_schema"
)
