"""A BentoML service with its default settings and one worker."""

from __future__ import annotations

import bentoml
import numpy as np

from bench.serving_peers.onnx_model import OnnxModel


@bentoml.service(workers=1)
class Demand:
    """`{"rows": [[…], …]}` in, `[…]` out."""

    def __init__(self) -> None:
        self.model = OnnxModel()

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """One prediction a row."""
        return self.model.predict(rows.astype(np.float64))
