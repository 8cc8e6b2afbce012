"""Faults made on purpose, so that the loop can show who catches them: the arrival door, the gate, the canary."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from pedalflow.release import MANIFEST, MODEL_CARD, ONNX_MODEL, open_release, seal
from pedalflow.whole_files import drafted_folder, give_name
from pipelines.parameters import with_values

REPEATED_ROWS = 20
FACTOR = 3.0  # what the bad release answers, as a multiple of what it should
# A share of a range from -8 to 39 °C as °F.
_FAHRENHEIT_AT_0, _FAHRENHEIT_AT_1 = 17.6, 102.2
# A network that hardly leaves its first guess: it trains in a second, and no gate lets it through.
_UNTRAINED: Mapping[str, str] = {"members": "1", "epochs": "1", "learning_rate": "0.000001"}


def bad_batch(content: bytes, column: str) -> bytes:
    """A batch as a broken export would send it, on purpose: `column` in °F instead of as a share, and the first 20 rows twice.

    Whatever else is in the batch, the door refuses it for both. Raises ValueError where the header has no such column.
    """
    header, *rows = content.decode("utf-8").splitlines()
    place = header.split(",").index(column)
    wrong = [_in_fahrenheit(row, place) for row in rows]
    repeated = [row for row in wrong[:REPEATED_ROWS] for _ in range(2)]
    return ("\n".join([header, *repeated, *wrong[REPEATED_ROWS:]]) + "\n").encode("utf-8")


def _in_fahrenheit(row: str, place: int) -> str:
    fields = row.split(",")
    degrees = _FAHRENHEIT_AT_0 + (_FAHRENHEIT_AT_1 - _FAHRENHEIT_AT_0) * float(fields[place])
    return ",".join([*fields[:place], f"{degrees:.1f}", *fields[place + 1 :]])


def bad_parameters(text: str) -> str:
    """The text of a `params.yaml` with which the network learns nothing, on purpose; all else in it stays, comments included.

    Raises SettingsError where one of the parameters is not in it, or twice.
    """
    return with_values(text, _UNTRAINED)


def bad_release(folder: Path, into: Path) -> Path:
    """A copy of the release in `folder` that answers three times what it should, on purpose; returns `into`/<its own name>.

    Its manifest is valid and its requests and detectors are those of the release, so only its errors in live traffic give it away.
    Its facts and its model card say that it is staged.
    """
    original = open_release(folder)
    said = f"Staged on purpose: it answers {FACTOR:g} times what {original.name} answers."
    with drafted_folder(into) as draft:
        shutil.copytree(original.folder, draft, ignore=shutil.ignore_patterns(MANIFEST))
        onnx.save(_scaled(onnx.load(draft / ONNX_MODEL)), draft / ONNX_MODEL)
        with (draft / MODEL_CARD).open("a", encoding="utf-8") as card:
            card.write(f"\n{said}\n")
        target = into / seal(draft, {**original.facts, "staged": said}).name
        give_name(draft, target)
    return target


def _scaled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, whose only output is multiplied before it leaves."""
    (output,) = model.graph.output
    inner = f"{output.name}_unscaled"
    for node in model.graph.node:
        node.output[:] = [inner if name == output.name else name for name in node.output]
        node.input[:] = [inner if name == output.name else name for name in node.input]
    factor = helper.make_tensor("staged_factor", TensorProto.FLOAT, [1], [FACTOR])
    model.graph.initializer.append(factor)
    model.graph.node.append(helper.make_node("Mul", [inner, factor.name], [output.name], name="staged"))
    return model
