"""Outliers: a request whose rows were flagged becomes an event in the vendor's layout, at most so many a minute."""

from __future__ import annotations

import orjson

from serving.event_metrics import OUTLIER_EVENTS
from serving.events import OUTLIER, ResponseSeen, listed
from serving.receiving import Count, Emit, Happening
from serving.state import Connection, fact, set_fact

SOURCE = "io.seldon.serving.pedalflow-outlier"
_FACT = "outlier_minute"
_NONE = '{"minute":0,"sent":0,"coalesced":0}'


class OutlierEvents:
    """Flagged requests beyond `most_per_minute` are counted, and the next event says how many there were."""

    def __init__(self, most_per_minute: int) -> None:
        self._most = most_per_minute

    def take(self, connection: Connection, happening: Happening, emit: Emit) -> list[Count]:
        """Emit an event for a response with flagged rows."""
        message = happening.message
        if not isinstance(message, ResponseSeen) or not any(message.outliers):
            return []
        minute = int(happening.now // 60)
        so_far = orjson.loads(fact(connection, _FACT, _NONE))
        if so_far["minute"] != minute:
            so_far = {"minute": minute, "sent": 0, "coalesced": so_far["coalesced"]}
        if so_far["sent"] >= self._most:
            so_far["coalesced"] += 1
            set_fact(connection, _FACT, orjson.dumps(so_far).decode())
            return [Count(OUTLIER_EVENTS, ("coalesced",))]
        emit(happening.emitted(OUTLIER, SOURCE, _data(message, so_far["coalesced"])))
        so_far = {"minute": minute, "sent": so_far["sent"] + 1, "coalesced": 0}
        set_fact(connection, _FACT, orjson.dumps(so_far).decode())
        return [Count(OUTLIER_EVENTS, ("emitted",))]


def _data(message: ResponseSeen, coalesced: int) -> dict[str, object]:
    data = {
        "is_outlier": listed(message.outliers),
        "instance_score": None,
        "feature_score": None,
        "reasons": [list(reasons) for reasons in message.reasons],
        "request_id": message.request_id,
        "release": message.release,
        "coalesced": coalesced,
    }
    meta = {"name": "Mahalanobis", "online": False, "data_type": "tabular", "detector_type": "outlier"}
    return {"data": data, "meta": meta}
