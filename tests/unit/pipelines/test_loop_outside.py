"""What the loop says to others, over real HTTP: the model's client, the notifications of senders, and the processes it starts."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bikeshare.use_case import USE_CASE
from pedalflow.errors import RunFailed, ServingFailed
from pedalflow.workspace import Workspace
from pipelines.loop import processes
from pipelines.loop.client import Answer, Client
from pipelines.loop.door import Doors, Source, notify_push, notify_upload, pause, push, put_in_bucket
from pipelines.loop.happenings import Happenings
from pipelines.loop.hours import span_dates
from pipelines.loop.journal import Journal
from pipelines.loop.processes import Places, triggers_settings
from pipelines.loop.service import Service, canary_percent, labelled_rows
from pipelines.loop.staging import Staging
from pipelines.loop.story import FULL, Act, moments

ANSWER = {"data": {"ndarray": [[42.5]]}, "meta": {"tags": {"release": "r-1"}}}


class Recorder(ThreadingHTTPServer):
    """Answers every request with the next of `answers` (status and JSON), the last again and again; None closes the connection."""

    def __init__(self, *answers: tuple[int, Any] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.server.seen.append((self.path, dict(self.headers.items()), body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            self.close_connection = True
            return
        text = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def answering(*answers: tuple[int, Any] | None) -> Iterator[Recorder]:
    with Recorder(*answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("new-one\nold-one\n", encoding="utf-8")
    return path


def test_an_hour_is_asked_under_its_own_request_id_and_its_label_goes_back_under_the_same() -> None:
    with answering((200, ANSWER)) as server:
        client = Client(server.address)
        assert client.predict("loop-1", {"hr": 5, "temp": 0.5}) == Answer(42.5, "r-1")
        assert client.feedback("loop-1", 40.0)
        client.close()
    (asked, headers, body), (labelled, _, feedback) = server.seen
    assert (asked, labelled) == ("/api/v1.0/predictions", "/api/v1.0/feedback")
    assert headers["Seldon-Puid"] == "loop-1"
    assert json.loads(body) == {"data": {"names": ["hr", "temp"], "ndarray": [[5, 0.5]]}}
    assert json.loads(feedback)["response"]["meta"]["puid"] == "loop-1"
    assert (client.requests, client.failed) == (2, 0)


@pytest.mark.parametrize("answer", [(500, ANSWER), (200, {"data": {}}), (200, [])])
def test_an_answer_that_is_no_prediction_counts_as_failed(answer: tuple[int, Any]) -> None:
    with answering(answer) as server:
        client = Client(server.address)
        assert client.predict("loop-1", {"hr": 5}) is None
        client.close()
    assert (client.requests, client.failed) == (1, 1)


def test_a_connection_that_the_server_closed_is_opened_anew_without_a_failure() -> None:
    with answering(None, (200, ANSWER)) as server:
        client = Client(server.address)
        assert client.predict("loop-1", {"hr": 5}) == Answer(42.5, "r-1")
        client.close()
    assert client.failed == 0


def test_an_upload_is_reported_as_s3_does_when_marker_and_file_are_there(
    tmp_path: Path, secret: Path
) -> None:
    put_in_bucket(tmp_path / "hours", "2012-01", b"instant\n")
    assert sorted(path.name for path in (tmp_path / "hours" / "2012-01").iterdir()) == [
        "_SUCCESS",
        "hours.csv",
    ]
    taken = {"events": [{"id": "e-1", "duplicate": False}]}
    with answering((202, taken)) as server:
        source = Source(f"{server.address}/events/s3", secret)
        assert notify_upload(source, "hours", "2012-01", datetime(2012, 2, 1)) == "e-1"
    ((_, headers, body),) = server.seen
    (record,) = json.loads(body)["Records"]
    assert headers["Authorization"] == "Bearer new-one"
    assert record["eventTime"] == "2012-02-01T00:00:00.000Z"
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]) == ("hours", "2012-01/_SUCCESS")


def test_a_push_is_signed_over_its_bytes_as_github_does(secret: Path) -> None:
    with answering((202, {"events": [{"id": "e-2", "duplicate": False}]})) as server:
        source = Source(f"{server.address}/events/github", secret)
        assert notify_push(source, push("a" * 40, "Try it", ["params.yaml"]), "delivery-1") == "e-2"
    ((_, headers, body),) = server.seen
    right = hmac.new(b"new-one", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={right}"
    assert (headers["X-Github-Event"], headers["X-Github-Delivery"]) == ("push", "delivery-1")
    assert json.loads(body)["commits"][0]["modified"] == ["params.yaml"]


def test_a_pause_is_asked_for_as_a_person_does_each_time_under_a_new_id(secret: Path) -> None:
    with answering((202, {"events": [{"id": "e-3", "duplicate": False}]})) as server:
        source = Source(f"{server.address}/events/person", secret)
        assert pause(source, "the year ends") == pause(source, "the year ends") == "e-3"
    (_, headers, first), (_, _, second) = server.seen
    asked = json.loads(first)
    assert headers["Authorization"] == "Bearer new-one"
    assert (asked["wish"], asked["reason"]) == ("pause", "the year ends")
    assert asked["id"] != json.loads(second)["id"]


def test_the_pause_at_the_end_of_the_year_is_asked_for_once(tmp_path: Path, secret: Path) -> None:
    (moment,) = [
        moment for moment in moments(FULL, span_dates(USE_CASE, range(2, 14))) if moment.act is Act.PAUSE
    ]
    with answering((202, {"events": [{"id": "e-4", "duplicate": False}]})) as server:
        person = Source(f"{server.address}/events/person", secret)
        journal = Journal(tmp_path / "loop", quick=False)
        happenings = Happenings(Service(server.address), journal, print)
        places = Places(Workspace(tmp_path), tmp_path / "loop", tmp_path / "bucket", 0)
        staging = Staging(places, USE_CASE, FULL, Doors(person, person, person), happenings, journal)
        staging.act(moment, moment.at)
    ((_, _, body),) = server.seen
    assert json.loads(body)["wish"] == "pause"
    assert moment.name in staging.began and not staging.busy


def test_a_delivery_that_is_refused_is_an_error_in_the_services_own_words(secret: Path) -> None:
    refused = {"error": {"rule": "STALE", "message": "it is too old"}}
    with answering((400, refused)) as server, pytest.raises(RunFailed, match=r"\(400\).*it is too old"):
        notify_push(Source(server.address, secret), push("a" * 40, "", []), "delivery-1")


def test_labelled_rows_are_those_of_all_releases() -> None:
    with answering((200, {"releases": {"r-1": {"rows": 3}, "r-2": {"rows": 4}}})) as server:
        assert labelled_rows(server.address) == 7


@pytest.mark.parametrize(("text", "percent"), [('{"canary_percent": 20}', 20.0), ("{", 0.0), (None, 0.0)])
def test_the_canarys_share_is_what_the_servers_file_says(
    tmp_path: Path, text: str | None, percent: float
) -> None:
    if text is not None:
        (tmp_path / "traffic.json").write_text(text, encoding="utf-8")
    assert canary_percent(tmp_path / "traffic.json") == percent


def test_the_services_settings_are_for_a_replay() -> None:
    settings = triggers_settings(FULL, Path("/w/bucket/hours"))
    assert settings["clock"] == "data"
    assert settings["launchers"]["local"]["buckets"] == {"hours": "/w/bucket/hours"}
    assert settings["rules"]["storage"]["cool_down_s"] == 120 * 86400.0


def test_a_process_is_ready_with_its_first_line_and_over_with_the_block(tmp_path: Path) -> None:
    places = Places(Workspace(tmp_path), tmp_path, tmp_path, 9000)
    code = "import json, os, time; print(json.dumps({'pid': os.getpid()}), flush=True); time.sleep(600)"
    with processes._process(places, "child", [sys.executable, "-c", code]) as said:
        os.kill(said["pid"], 0)
    with pytest.raises(ProcessLookupError):
        os.kill(said["pid"], 0)


def test_a_process_that_does_not_come_up_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    places = Places(Workspace(tmp_path), tmp_path, tmp_path, 9000)
    code = "import sys; sys.exit('the port is taken')"
    with (
        pytest.raises(ServingFailed, match=r"`pedalflow child` did not come up(?s:.*)the port is taken"),
        processes._process(places, "child", [sys.executable, "-c", code]),
    ):
        pass


def test_a_process_that_does_not_obey_is_ended_with_its_group(tmp_path: Path) -> None:
    places = Places(Workspace(tmp_path), tmp_path, tmp_path, 9000)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(600)"
    with processes.alongside(places, "child", [sys.executable, "-c", code]) as child:
        while not (places.logs / "child.out").read_text(encoding="utf-8"):
            pass
        processes.stop(child, within_s=0.2)
        assert child.poll() == -9


def test_what_a_killed_loop_left_is_ended_before_the_next_is_started_and_a_strangers_process_is_not(
    tmp_path: Path,
) -> None:
    places = Places(Workspace(tmp_path), tmp_path, tmp_path, 9000)
    code = "print('{}', flush=True); import time; time.sleep(600)"
    begun = [sys.executable, "-c", code, str(tmp_path)]
    left = subprocess.Popen(begun, start_new_session=True, stdout=subprocess.PIPE)
    strange = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        assert (
            left.stdout is not None and left.stdout.readline() == b"{}\n"
        )  # its command line can be read by now
        left.stdout.close()
        places.id_of("child").write_text(str(left.pid), encoding="ascii")
        reaper = threading.Thread(target=left.wait)
        reaper.start()
        processes.end_left_over(places, "child")
        reaper.join()
        assert left.returncode == -15
        places.id_of("child").write_text(str(strange.pid), encoding="ascii")
        processes.end_left_over(places, "child")
        assert strange.poll() is None
        assert not places.id_of("child").exists()
    finally:
        for process in (left, strange):
            process.kill()
            process.wait()
