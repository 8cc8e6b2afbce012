"""Events on their way to the broker: durable, in order, at least once.

An event is put into the outbox in the transaction of what caused it. A thread posts the oldest one as a binary CloudEvent and marks it as
sent after a 2xx. Whoever kills the process between the two makes it go out again, with the same id, by which receivers know it. A broker
that wants a token gets that of a file, which is read for every attempt: the token of the moment counts, and is kept nowhere else.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import urllib3

from serving.events import Emitted
from serving.state import Connection, State, StateFailed, fact, set_fact

logger = logging.getLogger("pedalflow.events")

WAITING, SENT, KEPT, REFUSED = "waiting", "sent", "kept", "refused"
MOST_WAITING = 10_000
MOST_REMEMBERED = 200
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 60.0
AGAIN = frozenset((408, 425, 429))  # 4xx that say: not now
UNKNOWN_TO_IT = frozenset((401, 403))  # somebody has to mend the token, and then the same event is taken
_DROPPED = "outbox_dropped"


@dataclass(frozen=True)
class Depth:
    """How the outbox stands: events that wait, when the oldest of them came (seconds since 1970), those refused, those dropped."""

    waiting: int
    oldest: float | None
    refused: int
    dropped: int


@dataclass(frozen=True)
class Waiting:
    """One event as it will be posted."""

    number: int
    id: str
    type: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Sent:
    """What one attempt came to: `status` of the outbox, or WAITING where it has to be tried again, and why."""

    status: str
    reason: str


def put(connection: Connection, event: Emitted, *, has_broker: bool) -> None:
    """Keep an event for the broker or, without one, for those who look. Beyond `MOST_WAITING` the oldest ones are dropped."""
    connection.execute(
        "INSERT INTO outbox (id, type, headers, body, at, status) VALUES (?, ?, ?, ?, ?, ?)",
        (
            event.id,
            event.type,
            orjson.dumps(event.headers()),
            event.body(),
            event.time,
            WAITING if has_broker else KEPT,
        ),
    )
    _forget(connection)
    dropped = _delete_all_but(connection, f"status = '{WAITING}'", MOST_WAITING)
    if dropped:
        set_fact(connection, _DROPPED, str(int(fact(connection, _DROPPED, "0")) + dropped))


def depth(connection: Connection) -> Depth:
    """How the outbox stands."""
    waiting, oldest = connection.execute(
        "SELECT COUNT(*), MIN(at) FROM outbox WHERE status = ?", (WAITING,)
    ).fetchone()
    refused = connection.execute("SELECT COUNT(*) FROM outbox WHERE status = ?", (REFUSED,)).fetchone()[0]
    return Depth(waiting, oldest, refused, int(fact(connection, _DROPPED, "0")))


def last_events(connection: Connection, most: int = MOST_REMEMBERED) -> list[dict[str, Any]]:
    """The newest events, the newest first, as `/events` shows them."""
    rows = connection.execute(
        "SELECT headers, body, status, reason FROM outbox ORDER BY number DESC LIMIT ?", (most,)
    )
    return [
        {
            "headers": orjson.loads(headers),
            "data": orjson.loads(body),
            "status": status,
            **({"reason": reason} if reason else {}),
        }
        for headers, body, status, reason in rows
    ]


class Sender:
    """Posts what waits, one after the other, from a thread.

    Args:
        state: where the outbox is.
        broker: the address that events are posted to.
        count: called with type and outcome (`sent`, `refused`, `failed`) of every attempt.
        token_file: holds the token that the broker wants (None: it wants none).
        timeout_s: how long one attempt may take.
        jitter: a number from 0 to 1 for each delay, so that many senders do not come back at the same moment.
    """

    def __init__(
        self,
        state: State,
        broker: str,
        count: Callable[[str, str], None],
        *,
        token_file: Path | None = None,
        timeout_s: float = 10.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._state = state
        self._broker = broker
        self._count = count
        self._token_file = token_file
        self._jitter = jitter
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(timeout_s))
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to post; what an earlier process left waiting comes first."""
        self._state.change(_wait_again)
        self._thread.start()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the attempt at hand; what waits is sent after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._pool.clear()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            outcome = self._next()
            failures = failures + 1 if outcome == WAITING else 0
            if outcome == WAITING:
                self._stopping.wait(delay_s(failures, self._jitter()))
            elif outcome is None:
                self._wake.wait()

    def _next(self) -> str | None:
        """What became of the oldest event; None where there is none."""
        try:
            event = self._state.read(_oldest)
            if event is None:
                return None
            sent = self._post(event)
            if sent.status != WAITING:
                self._state.change(lambda connection: _settle(connection, event, sent))
        except StateFailed as error:
            logger.warning("the outbox has to wait: %s", error)
            return WAITING
        self._count(event.type, "failed" if sent.status == WAITING else sent.status)
        return sent.status

    def _post(self, event: Waiting) -> Sent:
        try:
            headers = {**event.headers, **_authorization(self._token_file)}
            answer = self._pool.request(
                "POST", self._broker, body=event.body, headers=headers, redirect=False
            )
        except TokenUnusable as error:
            logger.warning("event %s waits: %s", event.id, error)
            return Sent(WAITING, str(error))
        except urllib3.exceptions.HTTPError as error:
            logger.warning("event %s waits: %s does not answer (%s)", event.id, self._broker, error)
            return Sent(WAITING, str(error))
        if 200 <= answer.status < 300:
            return Sent(SENT, "")
        reason = f"{self._broker} answers {answer.status} {answer.data[:200]!r}"
        if answer.status in UNKNOWN_TO_IT:
            reason = f"{reason}; {self._what_to_mend()}"
        elif answer.status < 500 and answer.status not in AGAIN:
            logger.error("event %s is kept aside: %s", event.id, reason)
            return Sent(REFUSED, reason)
        logger.warning("event %s waits: %s", event.id, reason)
        return Sent(WAITING, reason)

    def _what_to_mend(self) -> str:
        if self._token_file is None:
            return "it wants a token: name the file that holds it with --broker-token-file"
        return f"mend the token in {self._token_file}, which is read again for every attempt"


class TokenUnusable(Exception):
    """The file of the token does not hold one now. The message names the file and never what it holds."""


def _authorization(token_file: Path | None) -> dict[str, str]:
    """The header that proves who sends. Raises TokenUnusable."""
    if token_file is None:
        return {}
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise TokenUnusable(
            f"{token_file} cannot be read ({error.strerror}); put the broker's token there"
        ) from error
    except UnicodeDecodeError:  # whose text would show the content
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise TokenUnusable(
            f"{token_file} holds no token: one line of printable ASCII without blanks is needed"
        )
    return {"Authorization": f"Bearer {token}"}


def delay_s(failures: int, jitter: float) -> float:
    """Seconds before attempt `failures` + 1: twice as long each time, between half and all of it by `jitter`."""
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 16))
    return longest * (0.5 + 0.5 * jitter)


def _oldest(connection: Connection) -> Waiting | None:
    row = connection.execute(
        "SELECT number, id, type, headers, body FROM outbox WHERE status = ? ORDER BY number LIMIT 1",
        (WAITING,),
    ).fetchone()
    return None if row is None else Waiting(row[0], row[1], row[2], orjson.loads(row[3]), bytes(row[4]))


def _settle(connection: Connection, event: Waiting, sent: Sent) -> None:
    connection.execute(
        "UPDATE outbox SET status = ?, reason = ? WHERE number = ?", (sent.status, sent.reason, event.number)
    )
    _forget(connection)


def _wait_again(connection: Connection) -> None:
    """What was kept while there was no broker goes to the one there is now."""
    connection.execute("UPDATE outbox SET status = ? WHERE status = ?", (WAITING, KEPT))


def _forget(connection: Connection) -> None:
    """All but the newest of what does not wait."""
    _delete_all_but(connection, f"status IN ('{SENT}', '{KEPT}')", MOST_REMEMBERED)
    _delete_all_but(connection, f"status = '{REFUSED}'", MOST_REMEMBERED)


def _delete_all_but(connection: Connection, condition: str, most: int) -> int:
    """Delete the oldest rows under a condition until `most` are left; how many went."""
    return connection.execute(
        f"DELETE FROM outbox WHERE {condition} AND number <= "
        f"(SELECT number FROM outbox WHERE {condition} ORDER BY number DESC LIMIT 1 OFFSET ?)",
        (most,),
    ).rowcount
