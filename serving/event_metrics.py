"""The metrics of the event services: one table. Labels take few values, whatever is sent."""

from __future__ import annotations

from serving.telemetry import Metric

RECEIVED = Metric(
    "pedalflow_events_received_total",
    "counter",
    ("type", "outcome"),
    "Events that came in: request, response, feedback or other; taken, duplicate, conflict, refused, ignored or failed.",
)
REFUSED = Metric(
    "pedalflow_events_refused_total", "counter", ("rule",), "Events that cannot be read, by rule."
)
RECEIVER_FAILED = Metric(
    "pedalflow_event_receiver_failed_total",
    "counter",
    ("receiver",),
    "Events that a receiver (drift, outliers, concept or collector) could not take; the others took them.",
)
SENT = Metric(
    "pedalflow_events_sent_total",
    "counter",
    ("type", "outcome"),
    "Attempts to post an event to the broker: sent, refused or failed.",
)
OUTBOX_DEPTH = Metric("pedalflow_outbox_depth", "gauge", (), "Events that wait for the broker.")
OUTBOX_OLDEST = Metric(
    "pedalflow_outbox_oldest_seconds", "gauge", (), "Age of the oldest event that waits for the broker."
)
OUTBOX_REFUSED = Metric(
    "pedalflow_outbox_refused", "gauge", (), "Events that the broker refused and that are kept aside."
)
OUTBOX_DROPPED = Metric(
    "pedalflow_outbox_dropped", "gauge", (), "Events that were dropped because too many waited."
)
DRIFT_SCORE = Metric(
    "pedalflow_drift_score",
    "gauge",
    ("feature", "test"),
    "Score of each test in the last window that was judged; above 1 is drift.",
)
DRIFT_WINDOW_SCORE = Metric(
    "pedalflow_drift_window_score", "gauge", (), "Greatest score of the last window that was judged."
)
DRIFT_THRESHOLD = Metric("pedalflow_drift_threshold", "gauge", (), "Score above which a window has drifted.")
DRIFT_WINDOWS = Metric("pedalflow_drift_windows_total", "counter", ("drift",), "Windows that were judged.")
DRIFT_AGREEING = Metric(
    "pedalflow_drift_windows_agreeing",
    "gauge",
    (),
    "How many of the last three windows of the release that serves have drifted.",
)
DRIFT_ROWS = Metric("pedalflow_drift_window_rows", "gauge", (), "Rows that wait for a full window.")
DRIFT_DROPPED = Metric(
    "pedalflow_drift_rows_dropped_total", "counter", (), "Rows of half a window that a new release made void."
)
OUTLIER_EVENTS = Metric(
    "pedalflow_outlier_events_total",
    "counter",
    ("outcome",),
    "Requests with flagged rows: emitted or coalesced.",
)
CONCEPT_SCORE = Metric(
    "pedalflow_concept_score",
    "gauge",
    (),
    "Score after the last closed day; above 1 the concept has drifted.",
)
CONCEPT_THRESHOLD = Metric(
    "pedalflow_concept_threshold", "gauge", (), "Score above which the concept has drifted."
)
ROLLING_RMSE = Metric("pedalflow_rolling_rmse", "gauge", (), "RMSE over the last closed days.")
ROLLING_WAPE = Metric(
    "pedalflow_rolling_wape", "gauge", (), "Mean absolute error ÷ mean label over the last closed days."
)
ERROR_SUMS = Metric(
    "pedalflow_error_sums",
    "gauge",
    ("release", "sum"),
    "Sums over all labelled rows of a release, of the eight that were asked last: rows, labels, absolute and squared errors, and so on.",
)
DAYS_CLOSED = Metric(
    "pedalflow_concept_days_total", "counter", ("drift",), "Days that were closed and judged."
)
LABELS = Metric("pedalflow_labels_total", "counter", (), "Labels that came back.")
LABELS_UNMATCHED = Metric(
    "pedalflow_labels_unmatched_total",
    "counter",
    (),
    "Labels that came before their prediction; they are kept for it.",
)
LABELS_UNUSED = Metric(
    "pedalflow_labels_unused_total",
    "counter",
    ("why",),
    "Labels that concept drift could not use: late (the day is closed), release (not known here), unfit (number of rows).",
)
PENDING = Metric(
    "pedalflow_pending_predictions", "gauge", (), "Requests whose request, response or label has not come."
)
COLLECTED_ROWS = Metric("pedalflow_collected_rows_total", "counter", ("kind",), "Rows that were collected.")
TABLE_ROWS = Metric("pedalflow_event_state_rows", "gauge", ("table",), "Rows in a table of the state.")
EXPIRED = Metric(
    "pedalflow_event_state_expired_total", "counter", ("table",), "Rows that grew too old, or were too many."
)
RELEASES_REFUSED = Metric(
    "pedalflow_release_refused_total", "counter", (), "Releases that could not be taken up."
)
RELEASE = Metric("pedalflow_release_info", "gauge", ("release",), "The release whose detectors judge.")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
