"""The storm of the benchmark, shorter: one alert over and over from fifty connections starts one run, and every delivery is counted."""

from __future__ import annotations

from bench.triggers_storm import blow


def test_a_storm_of_one_alert_starts_one_run_and_fails_for_nobody() -> None:
    storm = blow(1_000)
    assert storm.answers == {200: 999, 202: 1}
    assert (storm.first_seen, storm.deliveries) == (1, 1_000)
    assert (storm.events, storm.runs, storm.trainings) == (1, 1, 1)
