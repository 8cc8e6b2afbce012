"""`python -m pipelines.notebooks.execute --into FOLDER`: runs the notebooks in a folder of their own and keeps their new outputs."""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill

from pedalflow.errors import RunFailed
from pipelines.notebooks.normalise import normalised
from pipelines.provenance import REPOSITORY

NOTEBOOKS = REPOSITORY / "notebooks"
PICTURES = REPOSITORY / "docs" / "images"
PATIENCE_S = 600  # for one cell
PLAYED = "PLAYED"  # the parameter that says where the loop was played
# The picture that stands for each notebook in docs/notebooks.md, by words of its caption.
COVERS: Mapping[str, str] = {
    "01-explore": "day by day",
    "02-train-and-debug": "Performance parity",
    "03-lineage": "training hours most like",
    "04-drift": "Every week of both years",
    "05-to-kubeflow": "tasks of the compiled pipeline",
}


def main(argv: Sequence[str]) -> int:
    """Execute the notebooks that are named, or all, and write them back with their outputs."""
    arguments = _parser().parse_args(argv)
    arguments.into.mkdir(parents=True, exist_ok=True)
    for path in paths(arguments.names):
        began = time.monotonic()
        executed = execute(path, arguments.into, arguments.loop)
        write(path, executed)
        (PICTURES / f"notebook-{path.stem}.png").write_bytes(cover(executed, COVERS[path.stem]))
        print(f"{path.name}  {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.notebooks.execute", description=__doc__)
    parser.add_argument("names", nargs="*", help="such as 01-explore (default: all, in order)")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where they run")
    parser.add_argument(
        "--loop", type=Path, metavar="DIR", help="workspace in which the loop was played (default: run/)"
    )
    return parser


def paths(names: Sequence[str] = ()) -> tuple[Path, ...]:
    """The notebooks of these names, or all, in their order."""
    if names:
        return tuple(NOTEBOOKS / f"{name.removesuffix('.ipynb')}.ipynb" for name in names)
    return tuple(sorted(NOTEBOOKS.glob("*.ipynb")))


def execute(path: Path, folder: Path, loop: Path | None = None) -> dict[str, Any]:
    """The notebook as it is after all its cells ran in `folder`; `loop` is for those that ask where the loop was played.

    Raises papermill's PapermillExecutionError where a cell failed, and RunFailed where something wrote to stderr.
    """
    asked = papermill.inspect_notebook(str(path))
    notebook = papermill.execute_notebook(
        str(path),
        None,
        {PLAYED: str(loop.resolve())} if loop is not None and PLAYED in asked else {},
        kernel_name="python3",
        cwd=str(folder),
        progress_bar=False,
        execution_timeout=PATIENCE_S,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
    )
    executed = normalised(notebook)
    for cell in executed["cells"]:
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                raise RunFailed(f"{path.name}, {cell['id']} wrote to stderr: {output['text'][:500]}")
    return executed


def cover(notebook: Mapping[str, Any], words: str) -> bytes:
    """The first picture whose caption holds the words. Raises RunFailed where there is none."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if words in output.get("metadata", {}).get("image/png", {}).get("alt", ""):
                return base64.b64decode(output["data"]["image/png"])
    raise RunFailed(f"no picture of the notebook has {words!r} in its caption")


def write(path: Path, notebook: dict[str, Any]) -> None:
    """Put the notebook where `path` says, always the same bytes for the same notebook."""
    path.write_text(nbformat.writes(nbformat.from_dict(notebook)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
