"""Keeps what the Tuner found: the values go into `params.yaml`, where the next run, and git, see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pedalflow.whole_files import drafted

BEST = "best_hyperparameters.txt"


def keep_tuned(params: Path, tuned: Path) -> Mapping[str, Any]:
    """Write the values of the Tuner's output folder into the section `model`; comments and order stay. Returns the values."""
    values: dict[str, Any] = json.loads((tuned / BEST).read_text(encoding="utf-8"))["values"]
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(params.read_text(encoding="utf-8"))
    content["model"].update(
        {name: value for name, value in values.items() if content["model"].get(name) != value}
    )
    with drafted(params) as draft, draft.open("w", encoding="utf-8") as stream:
        yaml.dump(content, stream)
    return values
