"""A custom runtime for MLServer, written as its documentation shows it."""

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.serving_peers.onnx_model import OnnxModel


class Demand(MLModel):
    """One tensor [rows, features] in, one tensor [rows] out."""

    async def load(self) -> bool:
        """Open the ONNX model."""
        self.model = OnnxModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One prediction a row."""
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float64)
        output = NumpyCodec.encode_output("count", self.model.predict(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])
