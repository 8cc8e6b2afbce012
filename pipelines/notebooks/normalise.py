"""What is kept of an executed notebook: sources and outputs, and nothing that differs from one execution to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
IMAGE = "image/png"
INJECTED = "injected-parameters"
Cell = Mapping[str, Any]


def normalised(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook with numbered cells, the kernel's name alone, and outputs without times, counters of runs and colours of terminals.

    The cell in which papermill says what the parameters of one execution were is left out.
    """
    own = [cell for cell in notebook["cells"] if INJECTED not in cell.get("metadata", {}).get("tags", ())]
    cells = [_cell(cell, number) for number, cell in enumerate(own, 1)]
    return {
        "cells": _counted(cells),
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cell(cell: Cell, number: int) -> dict[str, Any]:
    tags = cell.get("metadata", {}).get("tags")
    kept: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{number:02d}",
        "metadata": {"tags": list(tags)} if tags else {},
        "source": "".join(cell["source"]).strip(),
    }
    if cell["cell_type"] == "code":
        kept["outputs"] = [_output(output) for output in cell.get("outputs", ())]
        kept["execution_count"] = None
    return kept


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    """Of the metadata only what describes a picture stays."""
    kept = {key: value for key, value in output.items() if key != "metadata"}
    if "execution_count" in kept:
        kept["execution_count"] = None
    if "metadata" in output:
        described = output["metadata"].get(IMAGE)
        kept["metadata"] = {IMAGE: dict(described)} if described else {}
    return kept


def _counted(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Code cells that were executed are numbered in their order."""
    executed = [cell for cell in cells if cell["cell_type"] == "code"]
    if any(cell["outputs"] for cell in executed):
        for count, cell in enumerate(executed, 1):
            cell["execution_count"] = count
    return cells
