"""What was acknowledged is collected, whenever the process is killed, and joined once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.release import Release
from serving.pairs import read_pairs
from serving.served import load_served
from tests.integration_serving.event_servers import event_server
from tests.samples import event_messages as messages
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows

FIRST, COUNT = 24 * 150, 12


def sent(release: str) -> list[messages.Message]:
    """Requests, responses and labels of some hours."""
    columns = {name: values[FIRST : FIRST + COUNT] for name, values in sample_columns().items()}
    predictions, labels = expected_predictions(columns), columns["count"]
    found = []
    for place, row in enumerate(sample_rows(COUNT, FIRST)):
        found += [
            messages.request(f"r{place}", [row]),
            messages.response(f"r{place}", release, [float(predictions[place])]),
            messages.feedback(f"r{place}", [float(labels[place])]),
        ]
    return found


@pytest.mark.parametrize("killed_at", [1, 17, 36])
def test_every_acknowledged_event_is_collected_and_every_row_is_joined_once(
    tmp_path: Path, release: Release, killed_at: int
) -> None:
    events = sent(release.name)
    with event_server(tmp_path, release.folder, moment="committed", count=killed_at) as server:
        for message in events:
            server.post(message)
        server.killed()
    with event_server(tmp_path, release.folder) as server:
        assert {server.post(message) for message in events} == {202}
        assert server.stop() == 0
    served = load_served(release.folder)
    pairs = read_pairs([tmp_path / "collected"], served.schema, served.detectors)
    assert pairs.request_ids == tuple(f"r{place}" for place in range(COUNT))
    assert pairs.labels.tolist() == sample_columns()["count"][FIRST : FIRST + COUNT].tolist()
    assert (pairs.kept, pairs.unlabelled, pairs.unmatched) == (COUNT, 0, 0)
