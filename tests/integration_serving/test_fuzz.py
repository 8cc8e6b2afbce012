"""Whatever is sent, the answer is never an error of ours, and the memory does not grow."""

from __future__ import annotations

from pathlib import Path

from pedalflow.release import Release
from tests.integration_serving import servers
from tests.integration_serving.fuzzing import fuzz, resident_bytes

ALLOWED = {200, 400, 405, 413, 415}
REQUESTS = 2_000


def test_malformed_requests_are_never_a_failure_of_the_server(tmp_path: Path, release: Release) -> None:
    parameters = {"release": str(release.folder), "request_log": str(tmp_path / "log"), "max_bytes": 100_000}
    with servers.wrapper(tmp_path, parameters, options=["--grpc-workers", "0"]) as server:
        first = fuzz(server, REQUESTS // 4, seed=1)  # what is allocated once is allocated now
        before = {pid: resident_bytes(pid) for pid in server.processes()}
        codes = fuzz(server, REQUESTS, seed=2)
        after = {pid: resident_bytes(pid) for pid in server.processes()}

        assert {code for code in (first + codes) if code not in ALLOWED} == set(), server.said()[-3000:]
        assert codes[400] > REQUESTS // 2
        assert codes[200] > 0
        assert before.keys() == after.keys()
        assert max(after[pid] - before[pid] for pid in before) < 20 * 2**20
