"""Saves a pyfunc model that `mlflow models serve` takes: python -m bench.serving_peers.mlflow_model FOLDER"""

from __future__ import annotations

import os
import sys
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd

from bench.serving_peers.onnx_model import FEATURES, OnnxModel


class Demand(mlflow.pyfunc.PythonModel):
    """A data frame with the features as columns in, one prediction a row out."""

    def load_context(self, context: Any) -> None:
        """Open the ONNX model."""
        self.model = OnnxModel()

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        """One prediction a row."""
        names = os.environ[FEATURES].split(",")
        return self.model.predict(model_input[names].to_numpy(np.float64))


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=Demand(), pip_requirements=[])
