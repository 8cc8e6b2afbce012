"""The dashboard *platform*: what is up, events that come in and go out, and what the cluster measures."""

from __future__ import annotations

from tools.monitoring.shape import Dashboard, Panel, Query, rate

PLATFORM = Dashboard(
    "platform",
    "Pedalflow · Infrastructure",
    (
        Panel(
            "What answers Prometheus",
            "Targets that are up, by job.",
            "short",
            (Query('sum by (job) (up{job=~"pedalflow-.*"})', "{{job}}"),),
        ),
        Panel(
            "Events that come in",
            "A second, by type and what became of them.",
            "short",
            (Query(rate("pedalflow_events_received_total", "type, outcome"), "{{type}} {{outcome}}"),),
        ),
        Panel(
            "Events that go out",
            "Attempts a second to post to the broker.",
            "short",
            (Query(rate("pedalflow_events_sent_total", "outcome"), "{{outcome}}"),),
        ),
        Panel(
            "Events that wait for the broker",
            "And what it refused, or was dropped because too many waited.",
            "short",
            (
                Query("sum (pedalflow_outbox_depth)", "wait"),
                Query("sum (pedalflow_outbox_refused)", "refused"),
                Query("sum (pedalflow_outbox_dropped)", "dropped"),
            ),
        ),
        Panel(
            "Rows that the event services remember",
            "By table; old ones are forgotten.",
            "short",
            (Query("sum by (table) (pedalflow_event_state_rows)", "{{table}}"),),
        ),
        Panel(
            "Refused and not taken",
            "Events that cannot be read, by rule, and receivers that failed, a second.",
            "short",
            (
                Query(rate("pedalflow_events_refused_total", "rule"), "{{rule}}"),
                Query(rate("pedalflow_event_receiver_failed_total", "receiver"), "receiver {{receiver}}"),
            ),
        ),
        Panel(
            "CPU",
            "Cores that are used, by pod.",
            "short",
            (
                Query(
                    rate(
                        "container_cpu_usage_seconds_total", "pod", '{namespace=~"pedalflow.*",container!=""}'
                    ),
                    "{{pod}}",
                ),
            ),
        ),
        Panel(
            "Memory",
            "Share of the limit that is used, by pod.",
            "percentunit",
            (
                Query(
                    'sum by (pod) (container_memory_working_set_bytes{namespace=~"pedalflow.*",container!=""}) '
                    '/ sum by (pod) (kube_pod_container_resource_limits{namespace=~"pedalflow.*",resource="memory"})',
                    "{{pod}}",
                ),
            ),
            limit=0.9,
        ),
        Panel(
            "Restarts",
            "Of containers, within an hour.",
            "short",
            (
                Query(
                    'sum by (pod) (increase(kube_pod_container_status_restarts_total{namespace=~"pedalflow.*"}[1h]))',
                    "{{pod}}",
                ),
            ),
            limit=3.0,
        ),
        Panel(
            "Volumes",
            "Share that is free.",
            "percentunit",
            (
                Query(
                    'kubelet_volume_stats_available_bytes{namespace=~"pedalflow.*"} '
                    '/ kubelet_volume_stats_capacity_bytes{namespace=~"pedalflow.*"}',
                    "{{persistentvolumeclaim}}",
                ),
            ),
        ),
    ),
)
