"""The class that Seldon's documentation starts with, for its wrapper as it comes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.serving_peers.onnx_model import OnnxModel


class PlainClass:
    """`{"data": {"ndarray": [[…], …]}}` in, the same form out."""

    def load(self) -> None:
        """Open the ONNX model, in each worker."""
        self.model = OnnxModel()

    def predict(self, X: np.ndarray, names: Sequence[str], meta: object = None) -> np.ndarray:
        """One prediction a row."""
        return self.model.predict(np.asarray(X, np.float64))[:, None]
