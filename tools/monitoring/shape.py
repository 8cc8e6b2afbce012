"""What a dashboard is made of: panels, what they ask Prometheus, in which unit, and the line above which it is bad.

`$__rate_interval` is Grafana's: the shortest range that holds enough scrapes.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
# By gRPC the service is the method's full name, so it is said what is no request for a prediction.
PREDICTIONS = '{service!~"feedback|.*Feedback|status|metadata|explanations"}'


@dataclass(frozen=True)
class Query:
    """A question in PromQL, and what its series are called: `{{label}}` stands for the label's value."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A chart. `unit` is Grafana's name of it; `limit` a line above which it is bad.

    `states` draws a bar while a series is above 0, instead of its values: what was so, and when.
    """

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    limit: float | None = None
    states: bool = False


@dataclass(frozen=True)
class Dashboard:
    """A page of charts, two in a row; `name` is that of its file."""

    name: str
    title: str
    panels: tuple[Panel, ...]


def rate(name: str, by: str, of: str = "") -> str:
    """Growth a second of a counter, by labels; `of` is a selector."""
    grouped = f"sum by ({by}) " if by else "sum "
    return f"{grouped}(rate({name}{of}[$__rate_interval]))"


def quantile(share: str, histogram: str, by: str = "", of: str = "") -> str:
    """A quantile of a histogram, by labels; `of` is a selector."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{of}[$__rate_interval])))"


def mean(histogram: str) -> str:
    """The mean of a histogram over the last day."""
    return f"sum (increase({histogram}_sum[1d])) / sum (increase({histogram}_count[1d]))"
