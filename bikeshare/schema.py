"""The curated TFDV schema, built from the table of columns. `bikeshare/schema.pbtxt` is its text form; a test compares the two.

It holds the features and the label and nothing else: an example that carries `casual` or `registered` has a feature that the
schema does not know, and stops the run. Run `python -m bikeshare.schema` to write the text form anew.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from bikeshare.columns import COLUMNS
from pedalflow.columns import Column, Kind, Role

TRAINING, SERVING = "TRAINING", "SERVING"
TEXT_FORM = Path(__file__).with_name("schema.pbtxt")
_EPOCH = date(1970, 1, 1)
_INT64_MAX = 2**63 - 1
_TYPES = {Kind.DATE: schema_pb2.INT, Kind.INTEGER: schema_pb2.INT, Kind.NUMBER: schema_pb2.FLOAT}


def schema() -> schema_pb2.Schema:
    """Types, ranges and presence of every feature and of the label; the label is not expected in SERVING.

    Dates are int64 days since 1970-01-01, the form in which the examples carry them (`components.span_examples`).
    """
    columns = [column for column in COLUMNS if column.role in (Role.FEATURE, Role.LABEL)]
    return schema_pb2.Schema(
        feature=[_feature(column) for column in columns], default_environment=[TRAINING, SERVING]
    )


def _feature(column: Column) -> schema_pb2.Feature:
    feature = schema_pb2.Feature(
        name=column.name,
        type=_TYPES[column.kind],
        presence=schema_pb2.FeaturePresence(min_fraction=1.0, min_count=1),
        shape=schema_pb2.FixedShape(dim=[schema_pb2.FixedShape.Dim(size=1)]),
        not_in_environment=[SERVING] if column.role is Role.LABEL else [],
    )
    if column.kind is Kind.NUMBER:
        feature.float_domain.CopyFrom(
            schema_pb2.FloatDomain(
                name=column.name, min=column.low, max=column.high, disallow_nan=True, disallow_inf=True
            )
        )
    else:
        low, high = (_whole(bound) for bound in (column.low, column.high))
        feature.int_domain.CopyFrom(
            schema_pb2.IntDomain(name=column.name, min=low, max=_INT64_MAX if high is None else high)
        )
    return feature


def _whole(bound: float | str | None) -> int | None:
    """A bound of a whole-number column; dates become days since 1970-01-01."""
    if bound is None:
        return None
    return (date.fromisoformat(bound) - _EPOCH).days if isinstance(bound, str) else int(bound)


def as_text() -> str:
    """The content of `schema.pbtxt`."""
    head = "# Generated from bikeshare/columns.py by `python -m bikeshare.schema`; change the table, not this file.\n"
    return head + text_format.MessageToString(schema())


if __name__ == "__main__":
    TEXT_FORM.write_text(as_text(), encoding="utf-8")
