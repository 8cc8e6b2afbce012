"""Bodies that are of our own making, read by a strict pydantic model."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from triggers.errors import Refused
from triggers.sources.reading import FIELD, read_object

_MOST_ERRORS = 3

Model = TypeVar("Model", bound=BaseModel)


def read_model(model: type[Model], body: bytes) -> Model:
    """The body as `model` has it.

    Raises:
        Refused: it is no JSON object, or a field is missing, too long or of another type.
    """
    content = read_object(body)
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        why = "; ".join(_sentence(dict(item)) for item in error.errors()[:_MOST_ERRORS])
        raise Refused(FIELD, f"the body cannot be used: {why}") from error


def _sentence(item: dict[str, object]) -> str:
    place = item["loc"]
    field = ".".join(map(str, place)) if isinstance(place, tuple) else ""
    return f"{field}: {item['msg']}"
