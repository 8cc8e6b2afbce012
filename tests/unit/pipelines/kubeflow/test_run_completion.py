"""The exit handler: what the retraining service is told of a run that is over."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pedalflow.errors import RunFailed
from pipelines.kubeflow.run_completion import RunCompletion, completion, post

RUN = {
    "pipelineName": "bikeshare-training",
    "runId": "run-1",
    "runName": "a run",
    "reason": "drift",
    "idempotencyKey": "k",
}
FAILED = {"state": "FAILED", "error": {"message": "Trainer failed", "code": 9}}


class Receiver:
    """Takes one event and answers with `code`."""

    def __init__(self, code: int = 202) -> None:
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/events/cloudevents"

    def __enter__(self) -> Receiver:
        self._thread = Thread(target=self._server.handle_request, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._server.server_close()


def run_handler(**parameters: str) -> None:
    """The component's executor, as the entry point calls it."""
    executor = RunCompletion.EXECUTOR_SPEC.executor_class
    executor().Do(
        {},
        {},
        {
            "status": json.dumps(FAILED),
            "pipeline": "bikeshare-training",
            "run_id": "run-1",
            "run_name": "a run",
            "reason": "drift",
            "idempotency_key": "k",
            "events_token_file": "",
            **parameters,
        },
    )


def test_a_failed_run_is_told_with_its_reason_and_its_key() -> None:
    event = completion(FAILED, RUN)
    assert event["type"] == "org.kubeflow.pipelines.run-completion"
    assert event["id"] == "run-1-completed"
    assert event["data"] == {
        "provider": "kfp",
        "status": "failed",
        "artifacts": [],
        "error": "Trainer failed",
        **RUN,
    }


def test_a_run_that_succeeded_has_no_error() -> None:
    data = completion({"state": "SUCCEEDED"}, RUN)["data"]
    assert data["status"] == "succeeded"
    assert "error" not in data


def test_the_event_is_posted_with_the_token_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")
    with Receiver() as receiver:
        run_handler(events_url=receiver.url, events_token_file=str(tmp_path / "token"))
    assert receiver.headers["authorization"] == "Bearer s3cret"
    assert receiver.headers["content-type"] == "application/cloudevents+json"
    assert receiver.body["data"]["runId"] == "run-1"


def test_without_a_token_none_is_sent() -> None:
    with Receiver() as receiver:
        run_handler(events_url=receiver.url)
    assert "authorization" not in receiver.headers


def test_without_an_address_nobody_is_told() -> None:
    run_handler(events_url="")


def test_an_event_that_is_not_taken_fails_the_task_and_says_no_token() -> None:
    with Receiver(code=401) as receiver, pytest.raises(RunFailed, match="answered 401") as failed:
        post(completion(FAILED, RUN), receiver.url, "s3cret")
    assert "s3cret" not in str(failed.value)


def test_an_address_where_nobody_listens_fails_the_task() -> None:
    with pytest.raises(RunFailed, match="could not be told"):
        post(completion(FAILED, RUN), "http://127.0.0.1:9/none", None)


def test_the_token_goes_through_no_proxy_that_could_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Receiver() as receiver:
        post({"id": "1"}, receiver.url, "secret")
    assert receiver.body == {"id": "1"}
