"""`pedalflow replay` against the real servers: everything that was sent is answered, judged, explained and screened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pedalflow.lock import exclusive
from pedalflow.replay_record import from_json
from tests.integration_serving.served import free_block
from tests.samples.small_release import LAYOUT, sample_columns, sample_rows

ROWS = 168 * 2 + 30
STARTED_IN = Path(__file__).resolve().parents[2]


def hours_of_january(path: Path) -> Path:
    rows, labels = sample_rows(ROWS), sample_columns()["count"][:ROWS]
    lines = [",".join(map(str, [*row.values(), label])) for row, label in zip(rows, labels)]
    path.write_text("\n".join([",".join([*rows[0], LAYOUT.label]), *lines]) + "\n", encoding="utf-8")
    return path


def test_a_replay_shows_predictions_flags_drift_and_what_may_retrain(tmp_path: Path, champion: Path) -> None:
    into = tmp_path / "replay.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "serving.replay_command", "--json", "--workspace", str(tmp_path)),
            *("--release", str(champion), "--file", str(hours_of_january(tmp_path / "hours.csv"))),
            *("--stuck", "temp", "--title", "January.", "--port", str(free_block()), "--into", str(into)),
        ],
        cwd=STARTED_IN,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    record = from_json(done.stdout)

    assert record == from_json(into.read_text("utf-8"))
    assert [(use.requests, use.failed) for use in record.interfaces] == [(ROWS, 0), (ROWS, 0), (168, 0)]
    assert record.difference < 1e-6
    assert [window.staged for window in record.windows] == ["", "temp is stuck"]
    assert record.windows[1].is_drift
    assert len(record.hours) == ROWS and sum(hour.staged for hour in record.hours) == 168
    assert record.concept and record.explanation is not None
    total = record.explanation.base + sum(record.explanation.contributions.values())
    assert abs(total - record.explanation.prediction) < 1e-3 * record.explanation.prediction
    assert record.kept_out["stuck"] >= 168 and 0 < record.kept <= ROWS - 168
    assert json.loads(done.stdout)["title"] == "January."


def test_a_span_is_found_by_its_number_and_one_replay_runs_at_a_time(tmp_path: Path, champion: Path) -> None:
    call = [*(sys.executable, "-m", "serving.replay_command", "--workspace", str(tmp_path), "--span", "7")]
    call += ["--release", str(champion)]
    missing = subprocess.run(call, cwd=STARTED_IN, capture_output=True, text=True, timeout=60)
    assert missing.returncode == 3 and "span-07.csv is no file" in missing.stderr

    with exclusive(tmp_path / "state" / "serving" / "replay.lock", "busy"):
        second = subprocess.run(call, cwd=STARTED_IN, capture_output=True, text=True, timeout=60)
    assert second.returncode == 7 and "another `pedalflow replay` runs" in second.stderr


def test_a_replay_without_a_release_says_how_to_get_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving.replay_command", "--workspace", str(tmp_path), "--span", "1"],
        cwd=STARTED_IN,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 7 and "pedalflow train" in done.stderr
