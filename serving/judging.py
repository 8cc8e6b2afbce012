"""What the release's outlier judge says of a request."""

from __future__ import annotations

from serving.payloads import Request
from serving.served import Served


def judge(served: Served, request: Request) -> tuple[list[bool], list[list[str]]]:
    """By row: is it an outlier, and why. A single row takes the judge's quick way; both ways give the same answers."""
    if request.row is not None:
        _, reasons = served.judge.row(request.row)
        return [bool(reasons)], [list(reasons)]
    judgement = served.judge.rows(request.columns)
    return judgement.flagged.tolist(), [list(reasons) for reasons in judgement.reasons]
