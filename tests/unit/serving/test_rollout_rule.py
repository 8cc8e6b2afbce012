"""The verdict on a canary, as a table and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from serving.error_sums import ErrorSums, error_sums
from serving.rollout import Calls, Latencies, Latency, Rule, Verdict, judge

RULE = Rule()
FINE = Calls(asked=500)


def side(rows: int, wape: float, seed: int = 1) -> ErrorSums:
    """Rows of a model whose errors have about this WAPE: half of them too high, half too low."""
    rng = np.random.default_rng(seed)
    labels = rng.gamma(1.5, 100.0, rows) + 1.0
    sizes = rng.gamma(4.0, 0.25, rows) * wape
    signs = np.where(np.arange(rows) % 2, 1.0, -1.0)
    return error_sums(labels, labels * (1.0 + sizes * signs))


@pytest.mark.parametrize(
    ("champion", "canary", "calls", "waited_s", "verdict", "said"),
    [
        (side(300, 0.3), side(72, 0.2), FINE, 10.0, Verdict.PROMOTE, "no worse"),
        (side(300, 0.3), side(72, 0.3), FINE, 10.0, Verdict.PROMOTE, "no worse"),
        (side(300, 0.3), side(72, 0.42), FINE, 10.0, Verdict.ROLL_BACK, "is worse"),
        (side(300, 0.3), side(71, 0.2), FINE, 10.0, Verdict.WAIT, "71 of the canary's"),
        (side(71, 0.3), side(300, 0.2), FINE, 10.0, Verdict.WAIT, "71 of the champion's"),
        (side(300, 0.3), side(24, 0.9), FINE, 10.0, Verdict.ROLL_BACK, "clearly worse"),
        (side(300, 0.3), side(23, 0.9), FINE, 10.0, Verdict.WAIT, "23 of the canary's"),
        (side(20, 0.3), side(60, 0.9), FINE, 10.0, Verdict.WAIT, "20 of the champion's"),
        (side(300, 0.3), side(24, 0.42), FINE, 10.0, Verdict.WAIT, "24 of the canary's"),
        (side(300, 0.3), side(71, 0.2), FINE, 1800.0, Verdict.ROLL_BACK, "not enough labelled requests"),
        (side(300, 0.3), side(72, 0.2), FINE, 1800.0, Verdict.PROMOTE, "no worse"),
        (side(0, 0.3), side(0, 0.2), FINE, 0.0, Verdict.WAIT, "0 of the canary's"),
        (side(300, 0.3), side(72, 0.2), Calls(100, 4), 10.0, Verdict.ROLL_BACK, "failed 4 of 100"),
        (side(300, 0.3), side(72, 0.2), Calls(100, 3), 10.0, Verdict.PROMOTE, "no worse"),
        (side(300, 0.3), side(72, 0.2), Calls(1000, 10), 10.0, Verdict.PROMOTE, "no worse"),
        (side(300, 0.3), side(72, 0.2), Calls(1000, 11), 10.0, Verdict.ROLL_BACK, "failed 11 of 1000"),
        (side(300, 0.0), side(72, 0.3), FINE, 10.0, Verdict.ROLL_BACK, "worse"),
        (side(300, 0.0), side(72, 0.0), FINE, 10.0, Verdict.PROMOTE, "no worse"),
    ],
)  # fmt: skip
def test_the_verdict(
    champion: ErrorSums, canary: ErrorSums, calls: Calls, waited_s: float, verdict: Verdict, said: str
) -> None:
    judgement = judge(champion, canary, calls, waited_s, RULE)
    assert judgement.verdict is verdict
    assert said in judgement.reason


@pytest.mark.parametrize(
    ("champion", "canary", "verdict"),
    [
        (Latency(0.05, 0.10), Latency(0.11, 0.12), Verdict.ROLL_BACK),  # p95 is above twice, and above 0.1 s
        (Latency(0.05, 0.10), Latency(0.10, 0.20), Verdict.PROMOTE),
        (Latency(0.05, 0.10), Latency(0.06, 0.21), Verdict.ROLL_BACK),  # p99
        (Latency(0.01, 0.02), Latency(0.09, 0.10), Verdict.PROMOTE),  # nobody minds
        (None, Latency(5.0, 9.0), Verdict.PROMOTE),
        (Latency(0.05, 0.10), None, Verdict.PROMOTE),
    ],
)
def test_a_canary_may_be_somewhat_slower(
    champion: Latency | None, canary: Latency | None, verdict: Verdict
) -> None:
    judgement = judge(side(300, 0.3), side(72, 0.2), FINE, 10.0, RULE, Latencies(champion, canary))
    assert judgement.verdict is verdict


def rolled_back(ratio: float, trials: int = 200) -> float:
    """How often a canary with `ratio` times the champion's error is rolled back, when it is looked at after every fourth row."""
    count = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        verdict = Verdict.WAIT
        labels = rng.gamma(1.5, 100.0, 400) + 1.0
        errors = rng.normal(0.0, 0.4, 400)
        rows = 0
        while verdict is Verdict.WAIT:
            rows += 4
            champion = error_sums(labels[: 4 * rows], labels[: 4 * rows] * (1 + errors[: 4 * rows]))
            own = slice(400 - rows, 400)
            canary = error_sums(labels[own], labels[own] * (1 + ratio * errors[own]))
            verdict = judge(champion, canary, FINE, 1.0, RULE).verdict
        count += verdict is Verdict.ROLL_BACK
    return count / trials


def test_a_canary_that_is_as_good_is_rarely_rolled_back_and_a_bad_one_nearly_always() -> None:
    assert rolled_back(1.0) <= 0.05
    assert rolled_back(0.8) <= 0.01
    assert rolled_back(1.8) >= 0.95
