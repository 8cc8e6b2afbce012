"""The event services as a process: killed, restarted, refused, stopped, and fed by many senders at once."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pedalflow.release import Release
from tests.integration_serving.event_servers import event_server
from tests.integration_serving.servers import ROOT, point_to, wait_for
from tests.samples import event_messages as messages
from tests.samples.small_release import sample_rows


def test_killed_between_commit_and_acknowledgement_nothing_is_lost_or_counted_twice(
    tmp_path: Path, release: Release
) -> None:
    sent = [messages.request(f"r{number}", [row]) for number, row in enumerate(sample_rows(20))]
    with event_server(tmp_path, release.folder, moment="committed", count=8) as server:
        acknowledged = [message for message in sent if server.post(message) == 202]
        server.killed()
    assert len(acknowledged) == 7  # the eighth was committed, but nobody heard of it
    with event_server(tmp_path, release.folder) as server:
        assert server.json("/drift")["waiting_rows"] == 8
        assert [server.post(message) for message in sent] == [202] * 20
        assert server.json("/drift")["waiting_rows"] == 20
        assert 'outcome="duplicate",type="request"} 8.0' in server.text("/metrics")


def test_half_a_window_and_its_verdict_survive_kill_9(tmp_path: Path, release: Release) -> None:
    rows = sample_rows(168)
    with event_server(tmp_path, release.folder) as server:
        assert server.post(messages.request("first", rows[:100])) == 202
        server.process.kill()
    with event_server(tmp_path, release.folder) as server:
        assert server.json("/drift")["waiting_rows"] == 100
        assert server.post(messages.request("second", rows[100:])) == 202
        (window,) = server.json("/drift")["windows"]
        assert server.stop() == 0
    assert window["window"]["rows"] == 168 and window["is_drift"] == 0
    with event_server(tmp_path, release.folder) as server:
        assert server.json("/drift")["windows"] == [window]
        assert f"pedalflow_drift_window_score {window['score']}" in server.text("/metrics")


def test_many_senders_at_once_count_each_event_once(tmp_path: Path, release: Release) -> None:
    rows = sample_rows(150)
    sent = [messages.request(f"r{number}", [row]) for number, row in enumerate(rows)] * 2
    with event_server(tmp_path, release.folder) as server:
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(server.post, sent)) == {202}
        assert server.json("/drift")["waiting_rows"] == 150
        assert 'outcome="duplicate",type="request"} 150.0' in server.text("/metrics")


def test_a_new_release_is_taken_up_without_a_restart(
    tmp_path: Path, champion: Path, release: Release, doubled: Release
) -> None:
    with event_server(tmp_path / "state", champion, "--poll-s", "0.05") as server:
        assert server.json("/readyz") == {"release": release.name}
        point_to(champion, doubled)
        wait_for(lambda: server.json("/readyz") == {"release": doubled.name})
        assert server.post(messages.request("a", sample_rows(1))) == 202
        assert server.json("/drift")["release"] == doubled.name


def test_sigterm_ends_it_cleanly_and_leaves_no_process(tmp_path: Path, release: Release) -> None:
    with event_server(tmp_path, release.folder) as server:
        server.post(messages.request("a", sample_rows(1)))
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
    (segment,) = (tmp_path / "collected").iterdir()
    assert segment.suffix == ".jsonl"


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serving.event_server", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_two_on_one_state_are_refused(tmp_path: Path, release: Release) -> None:
    with event_server(tmp_path, release.folder):
        second = started("--state", str(tmp_path), "--release", str(release.folder), "--port", "23998")
    assert second.returncode != 0 and "other event services use" in second.stderr


def test_what_cannot_start_says_why_in_a_sentence(tmp_path: Path, release: Release) -> None:
    missing = started("--state", str(tmp_path), "--release", str(tmp_path / "no"), "--port", "23998")
    assert (
        missing.returncode != 0 and "does not exist" in missing.stderr and "Traceback" not in missing.stderr
    )
    (tmp_path / "events.sqlite").write_bytes(b"something else" * 100)
    broken = started("--state", str(tmp_path), "--release", str(release.folder), "--port", "23998")
    assert (
        broken.returncode != 0 and "move the file away" in broken.stderr and "Traceback" not in broken.stderr
    )


def test_alibi_detect_judges_where_the_settings_say_so(tmp_path: Path, release: Release) -> None:
    windows = {}
    for statistic in ("alibi", "scipy"):
        with event_server(tmp_path / statistic, release.folder, "--statistic", statistic) as server:
            assert server.post(messages.request("all", sample_rows(168))) == 202
            windows[statistic] = server.json("/drift")["windows"][0]
            (event,) = server.json("/events")
            assert event["data"]["meta"]["statistic"] == statistic
    assert windows["alibi"]["is_drift"] == windows["scipy"]["is_drift"]
    assert abs(windows["alibi"]["score"] - windows["scipy"]["score"]) < 1e-6
    assert json.dumps(windows["alibi"]["window"]) == json.dumps(windows["scipy"]["window"])
