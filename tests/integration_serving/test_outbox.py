"""Events on their way to a broker that is away, or is told twice because the sender was killed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pedalflow.release import Release
from tests.integration_serving.event_servers import event_server
from tests.integration_serving.servers import wait_for
from tests.samples import event_messages as messages
from tests.samples.recording_server import RecordingServer, recording_server


def ids(broker: RecordingServer) -> list[str]:
    return [
        value for item in broker.received for name, value in item.headers.items() if name.lower() == "ce-id"
    ]


def test_killed_between_sending_and_forgetting_the_event_goes_out_again_with_the_same_id(
    tmp_path: Path, release: Release
) -> None:
    flagged = [messages.response(f"r{number}", release.name, [1.0], [True]) for number in range(5)]
    with recording_server() as broker:
        options = ("--broker", f"{broker.address}/")
        with event_server(tmp_path, release.folder, *options, moment="sent", count=1) as server:
            for message in flagged:
                server.post(message)
            server.killed()
        with event_server(tmp_path, release.folder, *options) as server:
            assert {server.post(message) for message in flagged} == {202}
            broker.wait_for(6)
            wait_for(lambda: "pedalflow_outbox_depth 0.0" in server.text("/metrics"))
            emitted = [event["headers"]["Ce-Id"] for event in reversed(server.json("/events"))]
    counts = Counter(ids(broker))
    assert sorted(counts) == sorted(emitted) and len(emitted) == 5
    assert sorted(counts.values()) == [1, 1, 1, 1, 2]


def test_a_broker_that_comes_late_gets_every_event_once(tmp_path: Path, release: Release) -> None:
    with recording_server() as gone:
        port = int(gone.address.rpartition(":")[2])
    options = ("--broker", f"http://127.0.0.1:{port}/")
    with event_server(tmp_path, release.folder, *options) as server:
        for number in range(5):
            assert server.post(messages.response(f"r{number}", release.name, [1.0], [True])) == 202
        assert "pedalflow_outbox_depth 5.0" in server.text("/metrics")
        with recording_server(port=port) as broker:
            broker.wait_for(5)
            wait_for(lambda: "pedalflow_outbox_depth 0.0" in server.text("/metrics"))
            emitted = [event["headers"]["Ce-Id"] for event in reversed(server.json("/events"))]
        assert ids(broker) == emitted
