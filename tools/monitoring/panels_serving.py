"""The dashboard *serving*: requests, failures, latency, and which release answers."""

from __future__ import annotations

from tools.monitoring.shape import CLIENT, PREDICTIONS, SERVER, Dashboard, Panel, Query, quantile, rate

SERVING = Dashboard(
    "serving",
    "Pedalflow · Serving",
    (
        Panel(
            "Requests a second, by code",
            "What callers ask and get, at the executor.",
            "reqps",
            (Query(rate(f"{SERVER}_count", "code", PREDICTIONS), "{{code}}"),),
        ),
        Panel(
            "Failed requests",
            "Share answered with 5xx; the objective allows 0.5 % in 30 days.",
            "percentunit",
            (
                Query("pedalflow:requests_failed:ratio_rate5m", "5 min"),
                Query("pedalflow:requests_failed:ratio_rate1h", "1 h"),
            ),
            limit=0.005,
        ),
        Panel(
            "Seconds to an answer",
            "At the executor, over the whole graph.",
            "s",
            tuple(
                Query(quantile(share, SERVER, of=PREDICTIONS), f"p{share[2:]}")
                for share in ("0.50", "0.95", "0.99")
            ),
        ),
        Panel(
            "Requests slower than 0.1 s",
            "The objective allows 1 % in 30 days.",
            "percentunit",
            (
                Query("pedalflow:requests_slow:ratio_rate5m", "5 min"),
                Query("pedalflow:requests_slow:ratio_rate1h", "1 h"),
            ),
            limit=0.01,
        ),
        Panel(
            "Seconds of each part, p95",
            "Which part of the graph is slow.",
            "s",
            (
                Query(
                    quantile("0.95", CLIENT, "predictor_name, model_name"),
                    "{{predictor_name}} {{model_name}}",
                ),
            ),
        ),
        Panel(
            "Requests that wait, by part of the graph",
            "They have arrived, and nobody has read them.",
            "short",
            (
                Query(
                    "sum by (container) (avg_over_time(pedalflow_waiting_requests[$__rate_interval]))",
                    "{{container}}",
                ),
            ),
        ),
        Panel(
            "Who answers",
            "Requests a second of the predictor, and of a canary during a rollout.",
            "reqps",
            (
                Query(
                    rate(f"{CLIENT}_count", "predictor_name, model_name", '{service="/predict"}'),
                    "{{predictor_name}} {{model_name}}",
                ),
            ),
        ),
        Panel(
            "Which release serves",
            "Releases that a predictor, a canary or the outlier detector holds.",
            "short",
            (Query('sum by (release) (pedalflow_release_info{job="pedalflow-serving"} > 0)', "{{release}}"),),
            states=True,
        ),
        Panel(
            "Refused requests, by rule",
            "What callers do wrong: each costs them a 400.",
            "reqps",
            (Query(rate("pedalflow_bad_requests_total", "rule"), "{{rule}}"),),
        ),
        Panel(
            "Rows a second",
            "Predicted, judged by the outlier detector, and explained.",
            "short",
            (
                Query(rate("pedalflow_rows_total", ""), "predicted"),
                Query(rate("pedalflow_outlier_rows_total", ""), "judged"),
                Query(rate("pedalflow_explained_rows_total", ""), "explained"),
            ),
        ),
        Panel(
            "Seconds in the class, p95",
            "Without network and wrapper, by interface.",
            "s",
            (Query(quantile("0.95", "pedalflow_request_seconds", "interface"), "{{interface}}"),),
        ),
        Panel(
            "Releases that were refused, lines not logged",
            "Both should stay at 0.",
            "short",
            (
                Query('sum (pedalflow_release_refused_total{job="pedalflow-serving"})', "releases refused"),
                Query("sum (pedalflow_log_failures_total)", "lines not logged"),
            ),
        ),
        Panel(
            "Answers by interface and code",
            "As the classes count them: REST, V2, gRPC and feedback.",
            "reqps",
            (Query(rate("pedalflow_requests_total", "interface, code"), "{{interface}} {{code}}"),),
        ),
    ),
)
