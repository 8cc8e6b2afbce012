"""A single row through the graph, in memory that is bound to its inputs once.

Making eleven little arrays and handing them over costs as much as a fifth of the graph itself. ONNX Runtime's documentation calls
this I/O binding; on a CPU a bound input is the array's own memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class OneRow:
    """A session with memory for one row. For one thread at a time.

    Args:
        runtime: the module `onnxruntime`.
        session: of a graph with an input [rows, 1] for each field.
        inputs: their names and types.
        output: the name of what is predicted.
    """

    def __init__(
        self, runtime: Any, session: Any, inputs: Sequence[tuple[str, np.dtype[Any]]], output: str
    ) -> None:
        self._session = session
        self._bound = session.io_binding()
        self._memory: list[tuple[tuple[str, ...], npt.NDArray[Any]]] = []
        for dtype in dict.fromkeys(dtype for _, dtype in inputs):
            names = tuple(name for name, own in inputs if own == dtype)
            values = np.zeros((len(names), 1, 1), dtype)
            for name, value in zip(names, values):
                self._bound.bind_ortvalue_input(name, runtime.OrtValue.ortvalue_from_numpy(value))
            self._memory.append((names, values.reshape(-1)))
        self._bound.bind_output(output, "cpu")

    def run(self, row: Mapping[str, float]) -> float:
        """What the graph says of the row."""
        for names, values in self._memory:
            values[:] = [row[name] for name in names]
        self._session.run_with_iobinding(self._bound)
        return float(self._bound.copy_outputs_to_cpu()[0].item())
