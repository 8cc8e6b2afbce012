"""Makes something on a server exactly once, though answers get lost and others do the same: it is looked for before each try."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pipelines.kubeflow.api import PAUSES_S
from pipelines.kubeflow.api_errors import Conflict, TryLater

Made = TypeVar("Made")


def find_or_make(find: Callable[[], Made | None], make: Callable[[], Made]) -> tuple[Made, bool]:
    """What `find` finds, or else what `make` makes; and whether this call made it. Raises what the last try raised."""
    mine = False
    for pause in PAUSES_S:
        if (found := find()) is not None:
            return found, mine
        try:
            return make(), True
        except TryLater as error:
            mine = not isinstance(error, Conflict)  # it may have been made though the answer was lost
        time.sleep(pause)
    found = find()
    return (make(), True) if found is None else (found, mine)
