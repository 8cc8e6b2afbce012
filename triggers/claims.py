"""The claim on the run at work: one process has it, renews it while it works, and loses it when it gives no sign of life."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from triggers.engine_parts import Parts, logger
from triggers.errors import StoreFailed
from triggers.store import changes, questions
from triggers.store.questions import Held


def hold(parts: Parts) -> Held | None:
    """The run at work, with a claim of ours that lasts; None where there is none, or another's claim counts. Raises StoreFailed."""
    with parts.store.reading() as connection:
        held = questions.at_work(connection)
    if held is None or _lasts(parts, held):
        return held
    with parts.store.turn() as connection:
        if not _take(parts, held.run.id, connection):
            return None
        if held.claimed_by not in ("", parts.owner):
            logger.warning("run %s is taken over from %s", held.run.id, held.claimed_by)
        return questions.at_work(connection)


def _lasts(parts: Parts, held: Held) -> bool:
    """Whether our claim need not be renewed now. One that lasts too long was made before the wall's clock was set back."""
    left_s, claim_s = held.claim_until - parts.wall(), parts.timing.claim_s
    return held.claimed_by == parts.owner and claim_s / 2 < left_s < 2 * claim_s


def _take(parts: Parts, run: str, connection: Connection) -> bool:
    wall = parts.wall()
    return changes.claim_taken(connection, run, parts.owner, wall, wall + parts.timing.claim_s)


@contextmanager
def kept(parts: Parts, run: str) -> Iterator[None]:
    """Renew the claim on a run while the block is busy with it, however long that takes."""
    over = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(parts, run, over), name="claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew_until(parts: Parts, run: str, over: threading.Event) -> None:
    while not over.wait(parts.timing.claim_s / 3):
        try:
            with parts.store.turn() as connection:
                _take(parts, run, connection)
        except StoreFailed as error:
            logger.warning("the claim on run %s could not be renewed: %s", run, error)
