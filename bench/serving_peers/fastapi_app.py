"""A bare FastAPI endpoint: no validation, no tags, no metrics, no log."""

from __future__ import annotations

import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

from bench.serving_peers.onnx_model import OnnxModel

app = FastAPI()
model = OnnxModel()


@app.post("/predict")
async def predict(request: Request) -> Response:
    """`{"rows": [[…], …]}` in, `{"predictions": […]}` out."""
    rows = np.asarray(orjson.loads(await request.body())["rows"], np.float64)
    predictions = model.predict(rows)
    reply = orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(reply, media_type="application/json")
