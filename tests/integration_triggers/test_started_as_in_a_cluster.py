"""The retraining service, started with the command line and the settings that the manifests give it, on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration_triggers.door import PREFIX, ROOT, end, wait_for
from tests.samples.manifest_commands import K8S, command_of, container_of
from tests.samples.postgresql import PostgreSQL
from triggers.settings import secret_names

DEPLOYMENT = "base/triggers/triggers-deployment.yaml"
SETTINGS = {
    "cloud": K8S / "base/triggers/triggers.yaml",
    "local": K8S / "overlays/local/platform/triggers.yaml",
}
OPEN = {
    "cloud": {"github", "cloudevents", "alertmanager", "s3", "schedule", "person"},
    "local": {"cloudevents", "alertmanager", "schedule", "person"},
}
TOKEN = "a-token-of-this-test"


@pytest.fixture
def database(postgresql: PostgreSQL) -> Iterator[str]:
    with postgresql.empty_database() as url:
        yield url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def _started(folder: Path, settings: Path, database: str) -> Iterator[str]:
    """The container's command line with this machine's folders and a free port; the address where it answers."""
    places: Mapping[str, Path | str] = {
        "/opt/venv/bin/python": sys.executable,
        "/etc/pedalflow/settings/triggers.yaml": folder / "triggers.yaml",
        "/state": folder / "state",
        "/secrets/": f"{folder}/secrets/",
        "/var/run/secrets/kubeflow/pipelines/": f"{folder}/secrets/",
    }
    text = settings.read_text(encoding="utf-8")
    for place, here in places.items():
        text = text.replace(place, str(here))
    (folder / "triggers.yaml").write_text(text)
    (folder / "secrets").mkdir()
    for name in (*secret_names(), "github_token", "token"):
        (folder / "secrets" / name.removesuffix("_file")).write_text(TOKEN + "\n")
    (folder / "secrets" / "database_url").write_text(database + "\n")
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command_of(container_of(DEPLOYMENT, "triggers"), places), "--port", "0", "--json"],
            cwd=ROOT,
            env=own,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield "http://127.0.0.1:" + json.loads(line)["address"].rpartition(":")[2]
    finally:
        end(process)


@pytest.mark.parametrize("where", SETTINGS)
def test_it_starts_and_is_ready(where: str, tmp_path: Path, database: str) -> None:
    """Its probes are well, its sources are those that have a secret, and what it takes in lies in PostgreSQL."""
    probes = container_of(DEPLOYMENT, "triggers")
    with (
        _started(tmp_path, SETTINGS[where], database) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_for(lambda: client.get(probes["readinessProbe"]["httpGet"]["path"]).status_code == 200)
        assert client.get(probes["livenessProbe"]["httpGet"]["path"]).status_code == 200
        closed = {
            source
            for source in OPEN["cloud"] | {"pubsub"}
            if client.post(f"/events/{source}", json={}).status_code == 403
        }
        assert closed == (OPEN["cloud"] | {"pubsub"}) - OPEN[where]
        wish = {"reason": "a test", "who": "ada", "id": "w1"}
        taken = client.post("/events/person", json=wish, headers={"Authorization": f"Bearer {TOKEN}"})
        assert taken.status_code == 202
        asked = client.get("/api/events", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert "w1" in [event["delivery"] for event in asked["events"]]
    assert not (tmp_path / "state" / "state" / "triggers" / "triggers.sqlite").exists()
