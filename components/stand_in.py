"""What stands for the champion's model before there is one: a cluster cannot leave an input out."""

from __future__ import annotations

from pathlib import Path

from pedalflow.release import ONNX_MODEL, TRAINED_EXTRA

STAND_IN = "no-champion"  # what the URI of a champion ends with where there is none; nothing lies there
NO_CHAMPION = "NO_CHAMPION"  # the only file in a folder that stands in


def is_stand_in(folder: Path) -> bool:
    """Whether the folder says that there is no champion."""
    return (folder / NO_CHAMPION).is_file()


def names_stand_in(uri: str) -> bool:
    """Whether the URI of a champion says that there is none."""
    return uri.rstrip("/").rpartition("/")[2] == STAND_IN


def onnx_of(folder: Path) -> Path | None:
    """The ONNX model of a champion; None for the stand-in."""
    return None if is_stand_in(folder) else folder / TRAINED_EXTRA / ONNX_MODEL
