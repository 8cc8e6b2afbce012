"""What the options of `pedalflow compile` make of the file's defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.command import options
from pedalflow.workspace import Workspace
from pipelines.kubeflow.compile_command import compilation_of

WORKSPACE = Workspace(Path(__file__).resolve().parents[4])
DOOR = "http://triggers.pedalflow.svc.cluster.local/events/cloudevents"
TOKEN = "/var/run/secrets/pedalflow/cloudevents_token"


@pytest.mark.parametrize(
    ("given", "url", "token"),
    [
        ([], "", TOKEN),
        (["--events-url", ""], "", TOKEN),  # as a variable of CI that nobody set
        (["--events-url", DOOR], DOOR, TOKEN),
        (["--events-url", DOOR, "--events-token-file", "/secrets/token"], DOOR, "/secrets/token"),
    ],
)
def test_a_run_tells_nobody_that_it_is_over_unless_a_door_is_named(
    given: list[str], url: str, token: str
) -> None:
    asked = options.parse("compile", given)
    made = compilation_of(WORKSPACE, events_url=asked.events_url, events_token_file=asked.events_token_file)
    assert (made.events_url, made.events_token_file) == (url, token)


@pytest.mark.parametrize("url", ["triggers", "ftp://triggers", "http://me:secret@triggers"])
def test_what_is_no_door_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse("compile", ["--events-url", url])
    assert "without a user or password" in capsys.readouterr().err
