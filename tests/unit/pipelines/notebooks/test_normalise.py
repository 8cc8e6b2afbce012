"""What is kept of an executed notebook."""

from __future__ import annotations

from typing import Any

from pipelines.notebooks.normalise import normalised


def executed(**cell: Any) -> dict[str, Any]:
    code = {"cell_type": "code", "id": "x1", "metadata": {}, "source": ["1 + 1"], "outputs": [], **cell}
    return {"cells": [code], "metadata": {"widgets": {}}, "nbformat": 4, "nbformat_minor": 4}


def test_two_executions_of_the_same_notebook_leave_the_same_bytes() -> None:
    output = {"output_type": "execute_result", "data": {"text/plain": "2"}, "metadata": {}}
    first = executed(id="a", execution_count=3, metadata={"execution": {"started": "9:00"}})
    second = executed(id="b", execution_count=7, metadata={"execution": {"started": "10:00"}})
    first["cells"][0]["outputs"] = [{**output, "execution_count": 3}]
    second["cells"][0]["outputs"] = [{**output, "execution_count": 7}]
    assert normalised(first) == normalised(second)


def test_normalising_twice_changes_nothing() -> None:
    once = normalised(executed(metadata={"tags": ["parameters"]}))
    assert normalised(once) == once
    assert once["cells"][0]["metadata"] == {"tags": ["parameters"]}


def test_words_that_stand_for_a_picture_stay() -> None:
    described = {"image/png": {"alt": "a hill"}, "needs_background": "light"}
    output = {"output_type": "display_data", "data": {"image/png": "…"}, "metadata": described}
    kept = normalised(executed(outputs=[output]))["cells"][0]["outputs"][0]
    assert kept["metadata"] == {"image/png": {"alt": "a hill"}}
