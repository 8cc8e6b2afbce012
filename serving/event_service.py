"""What happens to an event, without HTTP: read at the edge, known if it came before, told to the receivers, committed, then counted."""

from __future__ import annotations

import enum
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import generate_latest

from pedalflow.errors import SettingsError
from serving import event_metrics as metrics
from serving.collector import FOLDER, Collector
from serving.concept_drift_detector import VERDICT as CONCEPT_VERDICT
from serving.concept_drift_detector import ConceptDriftDetector, concept_states
from serving.drift_detector import DROPPED, DriftDetector, waiting_rows
from serving.drift_detector import VERDICT as DRIFT_VERDICT
from serving.error_sums import ErrorSums
from serving.events import (
    FEEDBACK,
    REQUEST,
    RESPONSE,
    CloudEvent,
    Emitted,
    EventRefused,
    FeedbackSeen,
    Message,
    RequestSeen,
    parse_event,
    read_message,
)
from serving.live_release import LiveRelease
from serving.outbox import Sender, depth, last_events, put
from serving.outlier_events import OutlierEvents
from serving.receiving import Count, Happening, Receiver
from serving.release_errors import errors_since, forget_days, newest_sums, read_since
from serving.served import Served
from serving.settings import setting
from serving.state import FILE, Connection, State, expire, fact, row_counts, verdicts
from serving.telemetry import Telemetry

logger = logging.getLogger("pedalflow.events")

DRIFT, CONCEPT, COLLECTOR = "drift", "concept", "collector"
RECEIVERS = (DRIFT, CONCEPT, COLLECTOR)
_SHORT = {REQUEST: "request", RESPONSE: "response", FEEDBACK: "feedback"}
_EXPIRE_EVERY = 5_000  # events
_DAY_S = 86_400.0
_VOTES = 3  # windows that an alert weighs, as the policy of the triggers does
_WATCHED = (
    *((metrics.RECEIVED, (kind, outcome)) for kind in _SHORT.values() for outcome in ("taken", "failed")),
    *((metrics.DRIFT_WINDOWS, (drift,)) for drift in ("false", "true")),
)


@dataclass(frozen=True)
class EventSettings:
    """What the event services are told; every field is an option of `python -m serving.event_server`."""

    state: Path = setting("Folder of what is remembered: events.sqlite and collected/.")
    release: Path = setting("A release's folder, or a file that points to one and may change.")
    host: str = setting("Address to listen on.", "127.0.0.1")
    port: int = setting("Port to listen on.", 9031, low=1, high=65535)
    receivers: tuple[str, ...] = setting("What is done with events: drift, concept, collector.", RECEIVERS)
    broker: str = setting("Address that our own events are posted to; empty: they are kept for /events.", "")
    broker_token_file: str = setting(
        "File with the token that the broker wants; read again for every event.", ""
    )
    statistic: str = setting("Who computes the statistic of drift.", "scipy", choices=("alibi", "scipy"))
    private_fields: tuple[str, ...] = setting("Fields that are never collected, separated by commas.", ())
    fewest_rows: int = setting("Labels that a day needs before it is judged.", 12, low=1)
    outliers_per_minute: int = setting(
        "Outlier events in a minute; more are counted in the next one.", 60, low=1
    )
    keep_days: float = setting(
        "Days of events after which ids and unmatched parts are forgotten.", 90.0, low=0.01
    )
    keep_rows: int = setting("Rows that each table may have at most.", 2_000_000, low=1000)
    body_mb: float = setting("Largest body of an event, in MiB.", 8.0, low=0.001)
    threads: int = setting("Events that are taken in at the same time.", 32, low=1, high=1000)
    poll_s: float = setting("Seconds between two looks at the release.", 2.0, low=0.05)


class Taken(enum.Enum):
    """What became of an event that is acknowledged."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # another request or other labels by a known request id: only collected
    IGNORED = "ignored"


class EventService:
    """The state, the receivers, the outbox and the release that judges. Make it in the process that serves."""

    def __init__(self, settings: EventSettings, *, clock: Callable[[], float] = time.time) -> None:
        """Raises ReleaseBroken, SettingsError or StartFailed where it cannot begin."""
        self.settings = settings
        self._clock = clock
        self._telemetry = Telemetry(metrics.METRICS)
        self.live = LiveRelease(settings.release, settings.poll_s, self._on_release, self._on_refused)
        _check_private(settings.private_fields, self.live.current.schema.names)
        self._collector = _collector(settings)
        self._receivers = _receivers(settings, self._collector)
        self._begin_at_zero()
        sync = self._collector.sync if self._collector else lambda: None
        self.state = State(settings.state / FILE, before_commit=sync)
        self._sender = _sender(settings, self.state, self._count_sent)
        self._since_expiry = 0

    def _begin_at_zero(self) -> None:
        """What an alert watches for growth is there before it first happens: Prometheus sees no growth in what was not there."""
        for metric, labels in _WATCHED:
            self._telemetry.at(metric, *labels)
        for name, _ in self._receivers:
            self._telemetry.at(metrics.RECEIVER_FAILED, name)

    def start(self) -> None:
        """Begin to look at the release and to send what waits."""
        self.live.start()
        if self._sender:
            self._sender.start()

    def close(self) -> None:
        """Stop in an order that loses nothing."""
        self.live.stop()
        if self._sender:
            self._sender.stop()
        self.state.close()
        if self._collector:
            self._collector.close()

    def take(self, headers: Mapping[str, str], body: bytes) -> Taken:
        """Take in one event; when this returns its whole effect is on the disk.

        Raises:
            EventRefused: it cannot be read; sending it again does not help.
            StateFailed: nothing can be remembered now; it should be sent again.
        """
        kind = "other"
        try:
            event = parse_event(headers, body, self._clock())
            kind = _SHORT.get(event.type, "other")
            taken = self._take(event)
        except EventRefused as error:
            self._telemetry.at(metrics.REFUSED, error.rule).inc()
            self._telemetry.at(metrics.RECEIVED, kind, "refused").inc()
            raise
        except Exception:
            self._telemetry.at(metrics.RECEIVED, kind, "failed").inc()
            raise
        self._telemetry.at(metrics.RECEIVED, kind, taken.value).inc()
        return taken

    def _take(self, event: CloudEvent) -> Taken:
        served = self.live.current
        message = read_message(event, served.schema)
        if message is None:
            return Taken.IGNORED
        happening = Happening(event, message, served, self._clock())
        taken, counts = self.state.change(lambda connection: self._apply(connection, happening))
        for count in counts:
            metric = (
                self._telemetry.at(count.metric, *count.labels)
                if count.labels
                else self._telemetry[count.metric]
            )
            metric.inc(count.amount)
        if self._sender and taken is Taken.TAKEN:
            self._sender.wake()
        return taken

    def _apply(self, connection: Connection, happening: Happening) -> tuple[Taken, list[Count]]:
        """The whole effect of one event, inside a transaction."""
        taken = _noted(connection, happening)
        if taken is Taken.DUPLICATE:
            return taken, []

        def emit(emitted: Emitted) -> None:
            put(connection, emitted, has_broker=self._sender is not None)

        counts: list[Count] = []
        for name, receiver in self._receivers:
            if taken is Taken.TAKEN or name == COLLECTOR:
                counts += _told(name, receiver, connection, happening, emit)
        return taken, counts + self._expired(connection)

    def _expired(self, connection: Connection) -> list[Count]:
        self._since_expiry += 1
        if self._since_expiry < _EXPIRE_EVERY:
            return []
        self._since_expiry = 0
        forget_days(connection)
        gone = expire(connection, self.settings.keep_days * _DAY_S, self.settings.keep_rows, self._clock())
        return [Count(metrics.EXPIRED, (table,), rows) for table, rows in gone.items() if rows]

    def drift(self) -> dict[str, Any]:
        """The last verdicts on data drift and concept drift, and how far the next ones are."""
        served = self.live.current

        def look(connection: Connection) -> dict[str, Any]:
            dropped = fact(connection, DROPPED, "")
            return {
                "release": served.release.name,
                "statistic": self.settings.statistic,
                "window_rows": served.detectors.drift.window_rows,
                "waiting_rows": waiting_rows(connection, served.release.name),
                "dropped": orjson.loads(dropped) if dropped else None,
                "windows": [orjson.loads(verdict) for verdict in verdicts(connection, DRIFT_VERDICT)],
                "concept": {
                    "releases": concept_states(connection),
                    "days": [orjson.loads(verdict) for verdict in verdicts(connection, CONCEPT_VERDICT)],
                },
            }

        return self.state.read(look)

    def errors(self, since: str) -> dict[str, Any]:
        """How much each release errs on the labels that came back. Raises SinceRefused."""
        start = read_since(since)
        return {"releases": self.state.read(lambda connection: errors_since(connection, start))}

    def events(self) -> list[dict[str, Any]]:
        """The newest events that were emitted."""
        return self.state.read(last_events)

    def metrics(self) -> bytes:
        """Everything that is counted and measured, for Prometheus."""
        self._measure()
        return generate_latest(self._telemetry.registry)

    def _measure(self) -> None:
        """Set the gauges from what is remembered, so that they are right after a restart too."""
        release = self.live.current.release.name
        outbox, tables, windows, days, waiting, sums = self.state.read(
            lambda connection: (
                depth(connection),
                row_counts(connection),
                verdicts(connection, DRIFT_VERDICT, release),
                verdicts(connection, CONCEPT_VERDICT, release),
                waiting_rows(connection, release),
                newest_sums(connection),
            )
        )
        age = max(0.0, self._clock() - outbox.oldest) if outbox.oldest is not None else 0.0
        for metric, value in (
            (metrics.OUTBOX_DEPTH, outbox.waiting),
            (metrics.OUTBOX_OLDEST, age),
            (metrics.OUTBOX_REFUSED, outbox.refused),
            (metrics.OUTBOX_DROPPED, outbox.dropped),
            (metrics.PENDING, tables["pending"]),
            (metrics.DRIFT_ROWS, waiting),
        ):
            self._telemetry[metric].set(value)
        for table, rows in tables.items():
            self._telemetry.at(metrics.TABLE_ROWS, table).set(rows)
        self._measure_windows(windows)
        self._measure_days(days)
        self._measure_errors(sums)

    def _measure_windows(self, windows: list[bytes]) -> None:
        """Of the release that serves; before its first window there is no score."""
        scores = self._telemetry[metrics.DRIFT_SCORE]
        scores.clear()
        agreeing = sum(bool(orjson.loads(window)["is_drift"]) for window in windows[-_VOTES:])
        self._telemetry[metrics.DRIFT_AGREEING].set(agreeing)
        last: Any = orjson.loads(windows[-1]) if windows else {"score": 0.0, "threshold": 1.0, "features": []}
        self._telemetry[metrics.DRIFT_WINDOW_SCORE].set(last["score"])
        self._telemetry[metrics.DRIFT_THRESHOLD].set(last["threshold"])
        for feature in last["features"]:
            scores.labels(feature["name"], feature["test"]).set(feature["score"])

    def _measure_days(self, days: list[bytes]) -> None:
        """As `_measure_windows`; the errors stay what they were until a day of the new release is closed."""
        last: Any = orjson.loads(days[-1]) if days else {"score": 0.0, "threshold": 1.0}
        rolling = last.get("rolling", {})
        for metric, value in (
            (metrics.CONCEPT_SCORE, last["score"]),
            (metrics.CONCEPT_THRESHOLD, last["threshold"]),
            (metrics.ROLLING_RMSE, rolling.get("rmse")),
            (metrics.ROLLING_WAPE, rolling.get("wape")),
        ):
            if value is not None:  # JSON has null for what was no finite number
                self._telemetry[metric].set(value)

    def _measure_errors(self, sums: Mapping[str, ErrorSums]) -> None:
        """From the state, where they only grow: a rollout on a cluster compares two releases by their growth."""
        gauge = self._telemetry[metrics.ERROR_SUMS]
        gauge.clear()
        for release, of_release in sums.items():
            for name, value in asdict(of_release).items():
                gauge.labels(release, name).set(value)

    def _on_release(self, served: Served) -> None:
        info = self._telemetry[metrics.RELEASE]
        info.clear()
        info.labels(served.release.name).set(1)

    def _on_refused(self, _: str) -> None:
        self._telemetry[metrics.RELEASES_REFUSED].inc()

    def _count_sent(self, type_: str, outcome: str) -> None:
        self._telemetry.at(metrics.SENT, type_, outcome).inc()


def _check_private(private: tuple[str, ...], names: tuple[str, ...]) -> None:
    unknown = sorted(set(private) - set(names))
    if unknown:
        raise SettingsError(
            f"private_fields names {', '.join(unknown)}, but rows have {', '.join(names)}; correct --private-fields"
        )


def _noted(connection: Connection, happening: Happening) -> Taken:
    """Remember that the event came: is it new, known by its id or by what it says of its request, or does it say something else?"""
    event, message = happening.event, happening.message
    key = f"{event.type} {message.request_id}"
    noted = connection.execute(
        "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)",
        (f"{event.source} {event.id}", f"{key}{_digest(message)}", event.time),
    ).rowcount
    if not noted:
        return Taken.DUPLICATE
    same_request = connection.execute(  # "!" follows the space before a digest, and stands in no request id
        "SELECT COUNT(*) FROM (SELECT 1 FROM seen WHERE request >= ? AND request < ? LIMIT 2)",
        (key, f"{key}!"),
    ).fetchone()[0]
    return Taken.TAKEN if same_request == 1 else Taken.CONFLICT


def _digest(message: Message) -> str:
    """What a request or feedback says, after a space; nothing for a response, which several loggers may see with different tags."""
    if isinstance(message, RequestSeen):
        said: object = message.lists
    elif isinstance(message, FeedbackSeen):
        said = message.labels
    else:
        return ""
    return f" {blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()}"


def _told(
    name: str,
    receiver: Receiver,
    connection: Connection,
    happening: Happening,
    emit: Callable[[Emitted], None],
) -> list[Count]:
    """What a receiver counts. Where it fails, its part alone is undone: the event is not lost for the others."""
    connection.execute("SAVEPOINT receiver")
    try:
        counts = receiver.take(connection, happening, emit)
    except (sqlite3.Error, OSError):  # nothing can be remembered now: the event must come again
        raise
    except Exception:
        logger.exception("%s could not take event %r; the other receivers did", name, happening.event.id)
        connection.execute("ROLLBACK TO receiver")
        counts = [Count(metrics.RECEIVER_FAILED, (name,))]
    connection.execute("RELEASE receiver")
    return counts


def _sender(settings: EventSettings, state: State, count: Callable[[str, str], None]) -> Sender | None:
    if not settings.broker:
        return None
    token_file = Path(settings.broker_token_file) if settings.broker_token_file else None
    return Sender(state, settings.broker, count, token_file=token_file)


def _collector(settings: EventSettings) -> Collector | None:
    if COLLECTOR not in settings.receivers:
        return None
    return Collector(settings.state / FOLDER, settings.private_fields)


def _receivers(settings: EventSettings, collector: Collector | None) -> tuple[tuple[str, Receiver], ...]:
    """By name, in the order in which they take part in a transaction."""
    makers: dict[str, Callable[[], tuple[tuple[str, Receiver], ...]]] = {
        DRIFT: lambda: (
            (DRIFT, DriftDetector(settings.statistic)),
            ("outliers", OutlierEvents(settings.outliers_per_minute)),
        ),
        CONCEPT: lambda: ((CONCEPT, ConceptDriftDetector(settings.fewest_rows)),),
        COLLECTOR: lambda: ((COLLECTOR, collector),) if collector else (),
    }
    return tuple(receiver for name in RECEIVERS if name in settings.receivers for receiver in makers[name]())
