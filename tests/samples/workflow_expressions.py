"""The expressions `${{ … }}` of GitHub's workflows, as far as ours use them: paths, texts, `||`, `&&`, `==`, `!=`, `!` and a few functions.

Strict: a name, a property or a function that is not known is an error, where GitHub would silently say nothing. Only what comes from
outside (`github.event`) may lack a property.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w.-]*)|(?P<sign>\|\||&&|==|!=|!|\(|\)|,))"
)
_FROM_OUTSIDE = "github.event."
Contexts = Mapping[str, Any]


class ExpressionError(Exception):
    """An expression that cannot be read, or that names what is not there."""


def filled(text: str, contexts: Contexts) -> str:
    """`text` with every expression replaced by its value."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found.group(1), contexts)), text)


def shown(value: Any) -> str:
    """A value as GitHub writes it into a text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def evaluate(expression: str, contexts: Contexts) -> Any:
    """The value of one expression, without its braces."""
    reading = _Reading(_tokens(expression), contexts, expression)
    value = reading.either()
    if reading.tokens:
        raise ExpressionError(f"{expression.strip()!r}: {reading.tokens[0]!r} is too much")
    return value


def _tokens(expression: str) -> list[str]:
    found, at = [], 0
    while expression[at:].strip():
        match = _TOKEN.match(expression, at)
        if match is None:
            raise ExpressionError(f"{expression.strip()!r} cannot be read from {expression[at:]!r} on")
        found.append(match.group().strip())
        at = match.end()
    return found


class _Reading:
    """Reads tokens from left to right, one method for each level of binding."""

    def __init__(self, tokens: list[str], contexts: Contexts, expression: str) -> None:
        self.tokens, self.contexts, self.expression = tokens, contexts, expression.strip()

    def either(self) -> Any:
        value = self.both()
        while self._next("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self._next("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Any:
        value = self.single()
        if self._next("=="):
            return shown(value) == shown(self.single())
        return shown(value) != shown(self.single()) if self._next("!=") else value

    def single(self) -> Any:
        if self._next("!"):
            return not self.single()
        if self._next("("):
            value = self.either()
            self._demand(")")
            return value
        if not self.tokens:
            raise ExpressionError(f"{self.expression!r} ends too early")
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return self._called(token) if self._next("(") else self._looked_up(token)

    def _called(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._next(")"):
            arguments.append(self.either())
            if not self._next(","):
                self._demand(")")
                break
        if name not in FUNCTIONS:
            raise ExpressionError(f"{self.expression!r}: there is no function {name}")
        return FUNCTIONS[name](*arguments)

    def _looked_up(self, path: str) -> Any:
        value: Any = self.contexts
        for part in path.split("."):
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif path.startswith(_FROM_OUTSIDE):
                return None
            else:
                raise ExpressionError(f"{self.expression!r}: there is no {path}")
        return value

    def _next(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == sign:
            self.tokens.pop(0)
            return True
        return False

    def _demand(self, sign: str) -> None:
        if not self._next(sign):
            raise ExpressionError(f"{self.expression!r} lacks {sign!r}")


def _format(text: str, *values: Any) -> str:
    return text.format(*(shown(value) for value in values))


FUNCTIONS = {
    "always": lambda: True,
    "format": _format,
    "fromJSON": json.loads,
    "hashFiles": lambda *patterns: "hash-of-files",
    "join": lambda values, between=",": between.join(shown(value) for value in values),
}
