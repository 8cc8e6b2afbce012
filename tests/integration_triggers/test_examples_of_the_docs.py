"""The examples that docs/triggers.md gives to copy are taken by a real service, as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration_triggers.door import ROOT, Door, make_workspace, serving

PAGE = (ROOT / "docs" / "triggers.md").read_text(encoding="utf-8")
SECTIONS = [section.partition("\n") for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE)]
EXAMPLES = [
    (title, script)
    for title, _, text in SECTIONS
    for script in re.findall(r"^```sh\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    if "curl " in script
]
KINDS = {
    "GitHub": {"code", "data"},
    "CloudEvents": {"concept-drift"},
    "Alertmanager": {"concept-drift"},
    "S3 and MinIO": {"storage"},
    "Schedule": {"schedule"},
    "A person": {"person"},
}

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")),
    reason="needs curl and openssl: apt-get install curl openssl",
)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with serving(make_workspace(tmp_path_factory.mktemp("examples"))) as door:
        yield door


def test_every_source_with_a_token_has_an_example() -> None:
    assert {title for title, _ in EXAMPLES} == set(KINDS)


@pytest.mark.parametrize(("title", "script"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_an_example_is_accepted_and_means_what_the_page_says(door: Door, title: str, script: str) -> None:
    before = {event["id"] for event in door.get("/api/events")["events"]}
    said = shell(door, script)
    assert said.startswith("HTTP/1.1 202 "), said
    new = [event for event in door.get("/api/events")["events"] if event["id"] not in before]
    assert {event["kind"] for event in new} == KINDS[title]


def shell(door: Door, script: str) -> str:
    """What a shell at the workspace prints."""
    secrets = Path(door.ready["sources"]["github"]["token_file"]).parent
    prelude = f"set -eu\nDOOR={door.address}\nSECRETS={secrets.relative_to(door.workspace)}\n"
    done = subprocess.run(
        ["sh", "-c", prelude + script],
        cwd=door.workspace,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout
