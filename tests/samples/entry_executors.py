"""Executors that the tests of the entry point let it call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact
from tfx.types.value_artifact import ValueArtifact

from pedalflow.errors import AnomaliesFound

WRITTEN = "told.json"


class Tell(BaseExecutor):
    """Writes what it was called with into its output `told`, and `properties["value"]` into outputs that are values."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See above."""
        told = {
            name: {"type": type(item).__name__, "files": _files(Path(item.uri)), "split_names": _splits(item)}
            for name, (item,) in input_dict.items()
        }
        for (item,) in output_dict.values():
            if isinstance(item, ValueArtifact):
                item.value = exec_properties["value"]
            else:
                (Path(item.uri) / WRITTEN).write_text(
                    json.dumps({"inputs": told, "properties": exec_properties}), encoding="utf-8"
                )
                item.set_string_custom_property("said", "yes")


class WriteThenFail(BaseExecutor):
    """Writes half of its output."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See above; the property `error` says how it fails."""
        for (item,) in output_dict.values():
            (Path(item.uri) / "half").touch()
        if exec_properties["error"] == "ours":
            raise AnomaliesFound("the column temp is out of range")
        raise ZeroDivisionError("of TFX's")


def _files(folder: Path) -> int:
    return 1 if folder.is_file() else sum(1 for path in folder.rglob("*") if path.is_file())


def _splits(item: Artifact) -> str | None:
    return getattr(item, "split_names", None) if "split_names" in (item.PROPERTIES or {}) else None
