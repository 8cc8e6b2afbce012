"""The dashboard *retraining*: runs, reasons, what waits and for how long."""

from __future__ import annotations

from tools.monitoring.shape import Dashboard, Panel, Query, mean, quantile, rate

RETRAINING = Dashboard(
    "retraining",
    "Pedalflow · Retraining",
    (
        Panel(
            "Runs, by what they came to",
            "Since the service started.",
            "short",
            (Query("sum by (outcome) (pedalflow_triggers_runs_total > 0)", "{{outcome}}"),),
        ),
        Panel(
            "At work and waiting",
            "At most one run is at work.",
            "short",
            (
                Query("max (pedalflow_triggers_runs_at_work)", "at work"),
                Query("max by (queue) (pedalflow_triggers_queue_depth)", "{{queue}} that wait"),
            ),
        ),
        Panel(
            "Reasons that came in",
            "Events by kind, duplicates apart, since the service started.",
            "short",
            (Query('sum by (kind) (pedalflow_triggers_events_total{duplicate="false"})', "{{kind}}"),),
        ),
        Panel(
            "What was decided",
            "Events by what became of them, since the service started.",
            "short",
            (Query("sum by (outcome) (pedalflow_triggers_decisions_total)", "{{outcome}}"),),
        ),
        Panel(
            "Age of what waits",
            "Events are decided within seconds; a run may wait for new data for days.",
            "s",
            (Query("max by (queue) (pedalflow_triggers_queue_oldest_seconds)", "{{queue}}"),),
        ),
        Panel(
            "Age of the run at work",
            "0 where none is.",
            "s",
            (Query("max (pedalflow_triggers_run_at_work_seconds)", "seconds"),),
        ),
        Panel(
            "How long it takes",
            "Means of the last day: a run, and the way from an event to run and promotion.",
            "s",
            (
                Query(mean("pedalflow_triggers_run_seconds"), "run"),
                Query(mean("pedalflow_triggers_event_to_run_seconds"), "event to run"),
                Query(mean("pedalflow_triggers_event_to_promotion_seconds"), "event to promotion"),
            ),
        ),
        Panel(
            "Since the last promotion",
            "After 60 days the model counts as stale.",
            "s",
            (Query("time() - max (pedalflow_triggers_last_promotion_timestamp_seconds)", "since"),),
            limit=60 * 86400.0,
        ),
        Panel(
            "Seconds to take an event in, p99",
            "From the whole body to the commit.",
            "s",
            (Query(quantile("0.99", "pedalflow_triggers_accept_seconds", "source"), "{{source}}"),),
        ),
        Panel(
            "Refused, failed, not launched",
            "Deliveries by rule, 5xx by cause, and launches that did not work, a second.",
            "short",
            (
                Query(rate("pedalflow_triggers_refused_total", "source, rule"), "{{source}} {{rule}}"),
                Query(rate("pedalflow_triggers_failed_total", "why"), "5xx: {{why}}"),
                Query(rate("pedalflow_triggers_launch_failures_total", "launcher"), "launcher {{launcher}}"),
            ),
        ),
        Panel(
            "The database answers",
            "1 where it does.",
            "short",
            (Query("min (pedalflow_triggers_database_up)", "up"),),
        ),
        Panel(
            "Alerts that fire",
            "Those of Pedalflow, by name.",
            "short",
            (
                Query(
                    'sum by (alertname) (ALERTS{alertname=~"Pedalflow.*",alertstate="firing"})',
                    "{{alertname}}",
                ),
            ),
            states=True,
        ),
    ),
)
