"""For each alert a little history in which it fires and one in which it stays silent, one value a minute, in promtool's notation.

`0+1x60` grows by one each minute for an hour, `5x60` stays what it is. In a silent history something happens as well, but not that much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """An alert, its histories (values by series), when it is asked, and the labels by which the one that fires is known."""

    alert: str
    at: str
    fires: Mapping[str, str]
    silent: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)


_SERVER = "seldon_api_executor_server_requests_seconds"
_GRAPH = 'namespace="s",deployment_name="pedalflow",service="predictions"'
_TARGET = 'namespace="s",job="pedalflow-events",instance="drift:9031",service="drift"'
# A part of the graph that takes up another release holds both for a while.
_CHANGING = {
    'pedalflow_release_info{job="pedalflow-serving",instance="p",release="r-1"}': "0x60",
    'pedalflow_release_info{job="pedalflow-serving",instance="p",release="r-2"}': "1x60",
}
_REFUSED = 'pedalflow_triggers_runs_total{outcome="rolled back"}'
_PROMOTED = 'pedalflow_triggers_runs_total{outcome="promoted"}'


def _answered(good: float, bad: float) -> dict[str, str]:
    """So many good and bad answers a minute, for a day."""
    return {
        f'{_SERVER}_count{{{_GRAPH},code="200"}}': f"0+{good}x1500",
        f'{_SERVER}_count{{{_GRAPH},code="503"}}': f"0+{bad}x1500",
    }


def _called(good: float, bad: float) -> dict[str, str]:
    """By gRPC: so many calls a minute that are answered, and that fail by the server's fault; others by the caller's."""
    graph = 'namespace="s",deployment_name="pedalflow",service="/seldon.protos.Seldon/Predict"'
    return {
        f'{_SERVER}_count{{{graph},code="OK"}}': f"0+{good}x1500",
        f'{_SERVER}_count{{{graph},code="Unavailable"}}': f"0+{bad}x1500",
        f'{_SERVER}_count{{{graph},code="InvalidArgument"}}': "0+5x1500",
    }


def _beside(service: str) -> dict[str, str]:
    """Another service of the executor that always fails; only predictions count."""
    labels = f'namespace="s",deployment_name="pedalflow",service="{service}"'
    return {f'{_SERVER}_count{{{labels},code="503"}}': "0+500x1500"}


def _quick(share: float) -> dict[str, str]:
    """That share of a thousand requests a minute is answered within 0.1 s."""
    return {
        f'{_SERVER}_count{{{_GRAPH},code="200"}}': "0+1000x1500",
        f'{_SERVER}_bucket{{{_GRAPH},code="200",le="0.1"}}': f"0+{round(1000 * share)}x1500",
        f'{_SERVER}_bucket{{{_GRAPH},code="200",le="+Inf"}}': "0+1000x1500",
    }


def _waiting(requests: str) -> dict[str, str]:
    """At one of two pods; at the other somebody always waits, as a busy one has it."""
    series = 'pedalflow_waiting_requests{namespace="s",pod="%s",container="predictor"}'
    return {series % "p": requests, series % "q": "3x60"}


def _drift(agreeing: int, score: float) -> dict[str, str]:
    return {
        f"pedalflow_drift_windows_agreeing{{{_TARGET}}}": f"{agreeing}x60",
        f"pedalflow_drift_window_score{{{_TARGET}}}": f"{score}x60",
        f"pedalflow_drift_threshold{{{_TARGET}}}": "1x60",
        f'pedalflow_release_info{{{_TARGET},release="r-1"}}': "1x60",
    } | _CHANGING


def _concept(score: float) -> dict[str, str]:
    return {
        f"pedalflow_concept_score{{{_TARGET}}}": f"{score}x60",
        f"pedalflow_concept_threshold{{{_TARGET}}}": "1x60",
        f'pedalflow_release_info{{{_TARGET},release="r-1"}}': "1x60",
    } | _CHANGING


def _seen(requests: str) -> dict[str, str]:
    return {
        f'{_SERVER}_count{{{_GRAPH},code="200"}}': "0+5x90",
        f'pedalflow_events_received_total{{{_TARGET},type="request",outcome="taken"}}': requests,
    }


def _backup(cronjob: str, ago: int) -> dict[str, str]:
    """One that succeeded so many seconds before 1970, where the history begins, and that was made long before."""
    labels = f'namespace="pedalflow",cronjob="{cronjob}"'
    return {f"kube_cronjob_status_last_successful_time{{{labels}}}": f"-{ago}x60"} | _made(cronjob, 10**6)


def _made(cronjob: str, ago: int) -> dict[str, str]:
    """One that was made so many seconds before; of a success nothing is known."""
    return {f'kube_cronjob_created{{namespace="pedalflow",cronjob="{cronjob}"}}': f"-{ago}x60"}


def _received_by(receiver: str) -> dict[str, str]:
    """Only this receiver is scraped, whichever Service it is in."""
    return {f'pedalflow_event_receiver_failed_total{{job="pedalflow-events",receiver="{receiver}"}}': "0x60"}


def _up(job: str, value: int) -> dict[str, str]:
    return {f'up{{job="{job}"}}': f"{value}x60"}


CASES = (
    Case(
        "PedalflowAvailabilityBurnsFast",
        "1h",
        fires=_answered(90, 10),
        silent=_answered(998, 2),
        labels={"deployment_name": "pedalflow", "namespace": "s", "severity": "page"},
    ),
    Case("PedalflowAvailabilityBurnsFast", "1h", fires=_called(90, 10), silent=_called(998, 2)),
    Case(
        "PedalflowAvailabilityBurnsFast",
        "1h",
        fires=_answered(90, 10) | _beside("metadata"),
        silent=_answered(998, 2) | _beside("feedback") | _beside("/seldon.protos.Seldon/SendFeedback"),
    ),
    Case(
        "PedalflowAvailabilityBurnsSlowly",
        "4h",
        fires=_answered(98, 2),
        silent=_answered(998, 2),
        labels={"deployment_name": "pedalflow", "severity": "ticket"},
    ),
    Case("PedalflowLatencyBurnsFast", "1h", fires=_quick(0.8), silent=_quick(0.995)),
    Case("PedalflowLatencyBurnsSlowly", "4h", fires=_quick(0.96), silent=_quick(0.995)),
    Case(
        "PedalflowServingDown",
        "30m",
        fires=_up("pedalflow-executor", 1) | _up("pedalflow-serving", 0),
        silent=_up("pedalflow-executor", 1) | _up("pedalflow-serving", 1),
        labels={"severity": "page"},
    ),
    Case(
        "PedalflowRequestsWait",
        "30m",
        fires=_waiting("14x60"),
        silent=_waiting(
            "40 0 0 0 0 1 0 0 0 30 0x60"
        ),  # a burst that is answered within the minute, now and then
        labels={"pod": "p", "container": "predictor", "namespace": "s"},
    ),
    Case(
        "PedalflowReleaseRefused",
        "12m",
        fires={'pedalflow_release_refused_total{job="pedalflow-serving"}': "0x5 1x30"},
        silent={'pedalflow_release_refused_total{job="pedalflow-serving"}': "3x60"},
        labels={"job": "pedalflow-serving"},
    ),
    Case(
        "PedalflowDetectorsJudgeAnotherRelease",
        "40m",
        fires={
            'pedalflow_release_info{job="pedalflow-events",release="r-1"}': "1x60",
            'pedalflow_release_info{job="pedalflow-serving",release="r-2"}': "1x60",
        },
        silent={  # a canary answers as well
            'pedalflow_release_info{job="pedalflow-events",release="r-1"}': "1x60",
            'pedalflow_release_info{job="pedalflow-serving",release="r-1"}': "4x60",
            'pedalflow_release_info{job="pedalflow-serving",release="r-2"}': "1x60",
        },
        labels={"release": "r-1"},
    ),
    Case(
        "PedalflowRequestLogFails",
        "12m",
        fires={'pedalflow_log_failures_total{job="pedalflow-serving"}': "0x5 4x30"},
        silent={'pedalflow_log_failures_total{job="pedalflow-serving"}': "4x60"},
    ),
    Case(
        "PedalflowDataDrifts",
        "10m",
        fires=_drift(2, 1.5),
        silent=_drift(1, 1.5),
        labels={"pedalflow_reason": "drift", "release": "r-1", "namespace": "s"},
    ),
    Case("PedalflowDataDrifts", "10m", fires=_drift(3, 2.7), silent=_drift(2, 0.9)),
    Case(
        "PedalflowConceptDrifts",
        "10m",
        fires=_concept(1.02),
        silent=_concept(0.98),
        labels={"pedalflow_reason": "concept-drift", "release": "r-1"},
    ),
    Case(
        "PedalflowModelErrorHigh",
        "20m",
        fires={f"pedalflow_rolling_wape{{{_TARGET}}}": "0.45x60"},
        silent={f"pedalflow_rolling_wape{{{_TARGET}}}": "0.38x60"},
        labels={"pedalflow_reason": "concept-drift", "namespace": "s"},
    ),
    Case(
        "PedalflowOutlierShareHigh",
        "1h",
        fires={"pedalflow_outlier_flagged_rows_total": "0+6x90", "pedalflow_outlier_rows_total": "0+100x90"},
        silent={"pedalflow_outlier_flagged_rows_total": "0+1x90", "pedalflow_outlier_rows_total": "0+100x90"},
        labels={"pedalflow_reason": "outliers"},
    ),
    Case(
        "PedalflowOutlierShareHigh",
        "1h",
        fires={"pedalflow_outlier_flagged_rows_total": "0+5x90", "pedalflow_outlier_rows_total": "0+5x90"},
        # Two rows of ten say nothing yet.
        silent={
            "pedalflow_outlier_flagged_rows_total": "0x5 2x85",
            "pedalflow_outlier_rows_total": "0x5 10x85",
        },
    ),
    Case(
        "PedalflowLabelsMissing",
        "90m",
        fires={
            "pedalflow_labels_total": "700x120",
            'pedalflow_events_received_total{type="response",outcome="taken"}': "0+3x120",
        },
        silent={
            "pedalflow_labels_total": "0+1x120",
            'pedalflow_events_received_total{type="response",outcome="taken"}': "0+3x120",
        },
    ),
    Case(
        "PedalflowLabelsUnusable",
        "90m",
        fires={"pedalflow_labels_total": "0+10x120", 'pedalflow_labels_unused_total{why="late"}': "0+6x120"},
        silent={"pedalflow_labels_total": "0+10x120", 'pedalflow_labels_unused_total{why="late"}': "0+1x120"},
    ),
    Case(
        "PedalflowDetectorsDown",
        "20m",
        fires=_received_by("collector"),
        silent=_received_by("drift"),
    ),
    Case(
        "PedalflowCollectorDown",
        "20m",
        fires=_received_by("drift"),
        silent=_received_by("collector"),
    ),
    Case(
        "PedalflowDetectorSilent",
        "1h",
        fires=_seen("70x90"),
        silent=_seen("0+5x90"),
        labels={"service": "drift", "namespace": "s"},
    ),
    Case(
        "PedalflowEventsNotKept",
        "12m",
        fires={
            'pedalflow_events_received_total{service="drift",type="request",outcome="failed"}': "0x5 1x30"
        },
        silent={'pedalflow_events_received_total{service="drift",type="request",outcome="failed"}': "9x60"},
        labels={"service": "drift", "severity": "page"},
    ),
    Case(
        "PedalflowEventsRefused",
        "1h",
        fires={'pedalflow_events_refused_total{service="drift",rule="ATTRIBUTES"}': "0+1x90"},
        silent={'pedalflow_events_refused_total{service="drift",rule="ATTRIBUTES"}': "0x30 3x60"},
        labels={"rule": "ATTRIBUTES"},
    ),
    Case(
        "PedalflowReceiverFails",
        "12m",
        fires={'pedalflow_event_receiver_failed_total{service="drift",receiver="concept"}': "0x5 1x30"},
        silent={'pedalflow_event_receiver_failed_total{service="drift",receiver="concept"}': "1x60"},
        labels={"receiver": "concept"},
    ),
    Case(
        "PedalflowOutboxWaits",
        "30m",
        fires={'pedalflow_outbox_oldest_seconds{service="drift"}': "0+60x60"},
        silent={'pedalflow_outbox_oldest_seconds{service="drift"}': "600x60"},
    ),
    Case(
        "PedalflowOutboxLoses",
        "15m",
        fires={'pedalflow_outbox_refused{service="drift"}': "0x5 2x30"},
        silent={
            'pedalflow_outbox_refused{service="drift"}': "2x60",
            'pedalflow_outbox_dropped{service="drift"}': "0x60",
        },
    ),
    Case(
        "PedalflowOutboxLoses",
        "15m",
        fires={'pedalflow_outbox_dropped{service="drift"}': "0x5 9x30"},
        silent={'pedalflow_outbox_dropped{service="drift"}': "9x60"},
    ),
    Case(
        "PedalflowTriggersDown",
        "20m",
        fires=_up("pedalflow-triggers", 0),
        silent=_up("pedalflow-triggers", 1),
        labels={"severity": "page"},
    ),
    Case(
        "PedalflowTriggersDatabaseDown",
        "20m",
        fires={"pedalflow_triggers_database_up": "0x60"},
        silent={"pedalflow_triggers_database_up": "1x60"},
    ),
    Case(
        "PedalflowEventsUndecided",
        "20m",
        fires={'pedalflow_triggers_queue_oldest_seconds{queue="events"}': "0+60x60"},
        silent={
            'pedalflow_triggers_queue_oldest_seconds{queue="events"}': "2x60",
            'pedalflow_triggers_queue_oldest_seconds{queue="runs"}': "90000x60",
        },
    ),
    Case(
        "PedalflowRunWaitsLong",
        "10m",
        fires={'pedalflow_triggers_queue_oldest_seconds{queue="runs"}': "1300000x60"},
        silent={'pedalflow_triggers_queue_oldest_seconds{queue="runs"}': "1100000x60"},
    ),
    Case(
        "PedalflowRetrainingPaused",
        "25h",
        fires={"pedalflow_triggers_paused": "0x5 1x1500"},
        silent={"pedalflow_triggers_paused": "1x1200 0x5 1x300"},
    ),
    Case(
        "PedalflowRunTakesLong",
        "20m",
        fires={"pedalflow_triggers_run_at_work_seconds": "24000+60x60"},
        silent={"pedalflow_triggers_run_at_work_seconds": "3000+60x60"},
    ),
    Case(
        "PedalflowRunFailed",
        "30m",
        fires={'pedalflow_triggers_runs_total{outcome="failed"}': "0x5 1x60"},
        silent={'pedalflow_triggers_runs_total{outcome="failed"}': "2x90", _REFUSED: "0x5 1x60"},
    ),
    Case(
        "PedalflowRunsRefused",
        "30m",
        fires={_REFUSED: "0x5 4x60", _PROMOTED: "2x90"},
        silent={_REFUSED: "0x5 4x60", _PROMOTED: "2x20 3x60"},
    ),
    Case(
        "PedalflowLaunchesFail",
        "1h",
        fires={'pedalflow_triggers_launch_failures_total{launcher="kubeflow"}': "0+1x90"},
        silent={'pedalflow_triggers_launch_failures_total{launcher="kubeflow"}': "0x30 3x60"},
        labels={"launcher": "kubeflow"},
    ),
    Case(
        "PedalflowSenderUnknown",
        "1h",
        fires={'pedalflow_triggers_refused_total{source="github",rule="SIGNATURE"}': "0+1x90"},
        silent={'pedalflow_triggers_refused_total{source="github",rule="STALE"}': "0+1x90"},
        labels={"source": "github"},
    ),
    Case(
        "PedalflowTriggersFails",
        "20m",
        fires={'pedalflow_triggers_failed_total{why="database"}': "0+1x60"},
        silent={'pedalflow_triggers_failed_total{why="database"}': "0x10 2x60"},
        labels={"why": "database"},
    ),
    Case(
        "PedalflowModelStale",
        "10m",
        fires={
            "pedalflow_triggers_last_promotion_timestamp_seconds": "-5200000x60"
        },  # the history begins in 1970
        silent={"pedalflow_triggers_last_promotion_timestamp_seconds": "-2600000x60"},
    ),
    Case(
        "PedalflowPodRestarts",
        "30m",
        fires={
            'kube_pod_container_status_restarts_total{namespace="pedalflow",pod="p",container="triggers"}': "0+1x60"
        },
        silent={
            'kube_pod_container_status_restarts_total{namespace="pedalflow",pod="p",container="triggers"}': "5x60",
            'kube_pod_container_status_restarts_total{namespace="other",pod="p",container="x"}': "0+1x60",
        },
        labels={"container": "triggers"},
    ),
    Case(
        "PedalflowVolumeFills",
        "30m",
        fires={
            'kubelet_volume_stats_available_bytes{namespace="pedalflow",persistentvolumeclaim="state"}': "5x60",
            'kubelet_volume_stats_capacity_bytes{namespace="pedalflow",persistentvolumeclaim="state"}': "100x60",
        },
        silent={
            'kubelet_volume_stats_available_bytes{namespace="pedalflow",persistentvolumeclaim="state"}': "20x60",
            'kubelet_volume_stats_capacity_bytes{namespace="pedalflow",persistentvolumeclaim="state"}': "100x60",
        },
        labels={"persistentvolumeclaim": "state"},
    ),
    Case(
        "PedalflowBackupLate",
        "10m",
        fires=_backup("backup-databases", 11_000),
        silent=_backup("backup-databases", 7_000),
        labels={"cronjob": "backup-databases"},
    ),
    Case(
        "PedalflowBackupLate",
        "10m",
        fires=_backup("backup-objects", 130_000),
        silent=_backup("backup-objects", 80_000),
        labels={"cronjob": "backup-objects"},
    ),
    Case(
        "PedalflowBackupLate",
        "10m",
        fires=_made("backup-databases", 11_000),
        silent=_made("backup-databases", 7_000),
        labels={"cronjob": "backup-databases"},
    ),
    Case(
        "PedalflowBackupLate",
        "10m",
        fires=_made("backup-objects", 130_000) | _backup("backup-databases", 7_000),
        silent=_made("backup-objects", 80_000) | _backup("backup-databases", 7_000),
        labels={"cronjob": "backup-objects"},
    ),
)
