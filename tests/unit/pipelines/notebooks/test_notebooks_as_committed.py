"""The committed notebooks: no logic in cells, no noise and no place of a machine in outputs, words for every picture."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.notebooks.execute import COVERS, PICTURES, cover, paths
from pipelines.notebooks.normalise import normalised

MOST_BYTES = 600_000
MOST_STATEMENTS = 12
LOGIC = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.While,
    ast.Try,
    ast.If,
    ast.With,
)
PLACES = re.compile(r"/(?:work|tmp|home|root|opt|usr|var/folders)/")
EXPECTED = ("01-explore", "02-train-and-debug", "03-lineage", "04-drift", "05-to-kubeflow")

every_notebook = pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in code_cells(path) for output in cell["outputs"]]


def said(path: Path) -> str:
    """All that outputs say, without the bytes of pictures."""
    texts = []
    for output in outputs(path):
        data = {kind: text for kind, text in output.get("data", {}).items() if kind != "image/png"}
        texts.append(json.dumps([output.get("text", ""), data], ensure_ascii=False))
    return "\n".join(texts)


def test_the_five_notebooks_are_there() -> None:
    assert tuple(path.stem for path in paths()) == EXPECTED


@every_notebook
def test_cells_call_and_show_and_hold_no_logic(path: Path) -> None:
    for cell in code_cells(path):
        tree = ast.parse("".join(cell["source"]))
        found = [type(node).__name__ for node in ast.walk(tree) if isinstance(node, LOGIC)]
        assert found == [], f"{path.name}, {cell['id']}: {found} belong in pipelines/notebooks"
        assert len(tree.body) <= MOST_STATEMENTS, f"{path.name}, {cell['id']} is long"


@every_notebook
def test_every_cell_was_executed_in_order_and_none_is_dead(path: Path) -> None:
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all("".join(cell["source"]).strip() for cell in cells)


@every_notebook
def test_nothing_is_kept_that_differs_from_one_execution_to_the_next(path: Path) -> None:
    content = read(path)
    joined = [{**cell, "source": "".join(cell["source"])} for cell in content["cells"]]
    assert normalised(content)["cells"] == normalised({**content, "cells": joined})["cells"] == joined


@every_notebook
def test_outputs_are_small_and_hold_no_noise_and_no_place_of_a_machine(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    assert [output for output in outputs(path) if output.get("name") == "stderr"] == []
    assert [output for output in outputs(path) if output["output_type"] == "error"] == []
    assert PLACES.search(said(path)) is None
    framed = [output["data"].get("text/html", "") for output in outputs(path) if "data" in output]
    assert not [html for html in framed if html and not re.sub(r"<[^>]+>|\s", "", "".join(html))]


@every_notebook
def test_every_picture_has_words_that_stand_for_it_and_words_below_it(path: Path) -> None:
    shown = outputs(path)
    pictures = [place for place, output in enumerate(shown) if "image/png" in output.get("data", {})]
    assert pictures
    for place in pictures:
        alt = shown[place]["metadata"]["image/png"]["alt"]
        below = "".join(shown[place + 1]["data"]["text/markdown"])
        assert len(alt) > 30 and below == f"*{alt}*"


@every_notebook
def test_one_cell_is_tagged_for_parameters_and_comes_first(path: Path) -> None:
    tagged = [cell["id"] for cell in code_cells(path) if "parameters" in cell["metadata"].get("tags", ())]
    assert tagged == [code_cells(path)[0]["id"]]


@every_notebook
def test_the_docs_show_a_picture_that_the_notebook_holds(path: Path) -> None:
    shown = PICTURES / f"notebook-{path.stem}.png"
    assert shown.read_bytes() == cover(read(path), COVERS[path.stem])
    assert f"images/{shown.name}" in (PICTURES.parent / "notebooks.md").read_text(encoding="utf-8")
