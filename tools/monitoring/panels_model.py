"""The dashboard *model*: errors, drift, outliers and labels."""

from __future__ import annotations

from tools.monitoring.shape import Dashboard, Panel, Query, rate

MODEL = Dashboard(
    "model",
    "Pedalflow · Model quality and drift",
    (
        Panel(
            "Error of the last seven days",
            "Mean error ÷ mean demand (WAPE); above the line no model is promoted.",
            "percentunit",
            (Query("max (pedalflow_rolling_wape)", "WAPE"),),
            limit=0.40,
        ),
        Panel(
            "RMSE of the last seven days",
            "In the unit of the label.",
            "short",
            (Query("max (pedalflow_rolling_rmse)", "RMSE"),),
        ),
        Panel(
            "Error of each release",
            "Mean error ÷ mean label, over all its labels so far; a canary's too.",
            "percentunit",
            (
                Query(
                    'max by (release) (pedalflow_error_sums{sum="absolute"}) '
                    '/ max by (release) (pedalflow_error_sums{sum="labels"})',
                    "{{release}}",
                ),
            ),
        ),
        Panel(
            "Rows for the next window",
            "A window is judged when it is full.",
            "short",
            (Query("max (pedalflow_drift_window_rows)", "rows"),),
        ),
        Panel(
            "Concept drift",
            "Score after the last day; above 1 the labels no longer follow the predictions.",
            "short",
            (
                Query("max (pedalflow_concept_score)", "score"),
                Query("max (pedalflow_concept_threshold)", "threshold"),
            ),
        ),
        Panel(
            "Drift of the requests",
            "Greatest score of the last window; above 1 it is unlike the training data.",
            "short",
            (
                Query("max (pedalflow_drift_window_score)", "score"),
                Query("max (pedalflow_drift_threshold)", "threshold"),
            ),
        ),
        Panel(
            "Drift by feature",
            "Greatest score of a feature's tests in the last window.",
            "short",
            (Query("max by (feature) (pedalflow_drift_score)", "{{feature}}"),),
            limit=1.0,
        ),
        Panel(
            "Windows that drift",
            "How many of the last three; two are needed for a reason to retrain.",
            "short",
            (Query("max (pedalflow_drift_windows_agreeing)", "of three"),),
        ),
        Panel(
            "Windows and days that were judged",
            "Since the event services started, by what was found.",
            "short",
            (
                Query("sum by (drift) (pedalflow_drift_windows_total)", "windows, drift: {{drift}}"),
                Query("sum by (drift) (pedalflow_concept_days_total)", "days, drift: {{drift}}"),
            ),
        ),
        Panel(
            "Outliers",
            "Share of the rows that the detector flags; 0.2 % is what it was made for.",
            "percentunit",
            (
                Query(
                    f"{rate('pedalflow_outlier_flagged_rows_total', '')} / {rate('pedalflow_outlier_rows_total', '')}",
                    "flagged",
                ),
            ),
            limit=0.05,
        ),
        Panel(
            "Reasons of outliers",
            "Flagged rows a second, by kind of reason.",
            "short",
            (Query(rate("pedalflow_outlier_reasons_total", "reason"), "{{reason}}"),),
        ),
        Panel(
            "Labels",
            "That come back a second, and those that cannot be used.",
            "short",
            (
                Query(rate("pedalflow_labels_total", ""), "came back"),
                Query(rate("pedalflow_labels_unused_total", "why"), "unused: {{why}}"),
                Query(rate("pedalflow_labels_unmatched_total", ""), "before their prediction"),
            ),
        ),
        Panel(
            "Predictions that wait for labels",
            "Requests whose request, response or label has not come.",
            "short",
            (Query("max (pedalflow_pending_predictions)", "pending"),),
        ),
        Panel(
            "Collected rows",
            "Requests, answers and labels that are kept for retraining, a second.",
            "short",
            (Query(rate("pedalflow_collected_rows_total", "kind"), "{{kind}}"),),
        ),
    ),
)
