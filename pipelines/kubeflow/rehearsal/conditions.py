"""Conditions of tasks: the part of CEL that TFX and Kubeflow's SDK write. Anything else is refused, never guessed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from pedalflow.errors import SettingsError

_COMPARE: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_WORDS = {"true": True, "false": False, "null": None}
_TEXT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")


def holds(condition: str, executor_input: Mapping[str, Any]) -> bool:
    """Whether a task is triggered. Raises SettingsError where the condition cannot be read, or asks for what is not there."""
    inputs = executor_input["inputs"]
    known = {
        "inputs": {
            "parameter_values": inputs.get("parameterValues", {}),
            "artifacts": inputs.get("artifacts", {}),
        }
    }
    try:
        return bool(_value(ast.parse(_as_python(condition), mode="eval").body, known))
    except (SyntaxError, KeyError, IndexError, TypeError, NotImplementedError) as error:
        raise SettingsError(f"the condition {condition!r} cannot be evaluated: {error}") from error


def _as_python(condition: str) -> str:
    """The operators in Python's words, texts left alone."""
    parts = _TEXT.split(condition)
    for index in range(0, len(parts), 2):
        plain = parts[index].replace("&&", " and ").replace("||", " or ")
        parts[index] = re.sub(r"!(?!=)", " not ", plain)
    return "".join(parts).strip()


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return _WORDS[node.id] if node.id in _WORDS else known[node.id]
        case ast.Attribute():
            return _value(node.value, known)[node.attr]
        case ast.Subscript():
            return _value(node.value, known)[_value(node.slice, known)]
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, known)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, known)
        case ast.BoolOp(op=ast.And()):
            return all(_value(item, known) for item in node.values)
        case ast.BoolOp(op=ast.Or()):
            return any(_value(item, known) for item in node.values)
        case ast.Compare(ops=[compare]) if type(compare) in _COMPARE:
            return _COMPARE[type(compare)](_value(node.left, known), _value(node.comparators[0], known))
        case _:
            raise NotImplementedError(f"{ast.unparse(node)} is more of CEL than the rehearsal knows")
