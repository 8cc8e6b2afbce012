"""What is wrong with a request, and what is wrong with a model."""

from __future__ import annotations

from enum import Enum
from typing import Any


class Rule(str, Enum):
    """The rules of a request; a reply with status 400 names the one that was broken."""

    JSON = "JSON"  # the body is no JSON
    FORM = "FORM"  # JSON, but none of the forms that are taken
    NAMES = "NAMES"  # the names of the columns are missing, no list of texts, or do not fit the rows
    UNKNOWN_FIELD = "UNKNOWN_FIELD"  # a field that the model does not take
    MISSING_FIELD = "MISSING_FIELD"  # a field that the model needs
    DUPLICATE_FIELD = "DUPLICATE_FIELD"  # a field that is named twice
    SHAPE = "SHAPE"  # rows of another length than the names, or a tensor whose shape does not fit its values
    NO_ROWS = "NO_ROWS"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    TYPE = "TYPE"  # a value of another type: text or a boolean for a number, a missing value
    NOT_FINITE = "NOT_FINITE"  # NaN or infinity
    NOT_AN_INTEGER = "NOT_AN_INTEGER"  # a number with decimals where a whole one is needed
    NOT_A_DATE = "NOT_A_DATE"
    RANGE = "RANGE"  # outside the range of the field
    ID = "ID"  # the request id cannot be used as one
    TAGS = "TAGS"  # meta.tags does not fit the rows
    LABELS = "LABELS"  # feedback: the truth cannot be used as labels


class BadRequest(ValueError):
    """A request that cannot be answered: which rule it breaks and, where it is one value's fault, field, row (from 0) and value."""

    def __init__(
        self, rule: Rule, message: str, *, field: str | None = None, row: int | None = None, value: Any = None
    ) -> None:
        super().__init__(message)
        self.rule = rule.value
        self.message = message
        self.field = field
        self.row = row
        self.value = value

    def to_json(self) -> dict[str, object]:
        """The reply to the request, in Seldon's form."""
        status = {"status": "FAILURE", "code": 400, "reason": self.rule, "info": self.message}
        return {"status": status}


class ModelBroken(ArithmeticError):
    """The model cannot be loaded, takes other inputs than the requests have, or predicts what is no finite number."""
