"""Serialises a request for gRPC: python -m bench.serving_peers.grpc_bodies FORM BODY.json OUT

FORM is `ndarray`, `tensor` or `binData` of a SeldonMessage (BODY is a message of Seldon's with an ndarray), or `v2`, MLServer's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.serving_contenders import matrix


def _ndarray(body: bytes) -> Any:
    from google.protobuf import json_format
    from seldon_core.proto.prediction_pb2 import SeldonMessage

    return json_format.ParseDict(json.loads(body), SeldonMessage())


def _tensor(body: bytes) -> Any:
    from seldon_core.proto.prediction_pb2 import DefaultData, SeldonMessage, Tensor

    data = json.loads(body)["data"]
    rows = matrix([dict(zip(map(str, range(len(row))), row)) for row in data["ndarray"]])
    values = [value for row in rows for value in row]
    tensor = Tensor(shape=[len(rows), len(rows[0])], values=values)
    return SeldonMessage(data=DefaultData(names=data.get("names", []), tensor=tensor))


def _bin_data(body: bytes) -> Any:
    from seldon_core.proto.prediction_pb2 import SeldonMessage

    return SeldonMessage(binData=body)


def _v2(body: bytes) -> Any:
    from mlserver.grpc.converters import ModelInferRequestConverter
    from mlserver.types import InferenceRequest

    request = InferenceRequest(**json.loads(body))
    return ModelInferRequestConverter.from_types(request, model_name="demand")


FORMS: Mapping[str, Callable[[bytes], Any]] = {
    "ndarray": _ndarray,
    "tensor": _tensor,
    "binData": _bin_data,
    "v2": _v2,
}

if __name__ == "__main__":
    form, source, out = sys.argv[1:]
    Path(out).write_bytes(FORMS[form](Path(source).read_bytes()).SerializeToString())
