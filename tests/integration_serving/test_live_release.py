"""A new release is taken up by a real server under load; a broken one is not."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections import Counter
from pathlib import Path

from pedalflow.champion import Pointer, write_pointer
from pedalflow.release import ONNX_MODEL, Release
from tests.integration_serving import servers
from tests.integration_serving.servers import Server, point_to
from tests.samples.small_release import sample_rows

BODY = json.dumps({"jsonData": sample_rows(2)}).encode()
CLIENTS = 4


class Load:
    """Clients that ask without a pause until the block ends; `seen` counts releases, `failures` is everything but a right reply."""

    def __init__(self, server: Server) -> None:
        self.seen: Counter[str] = Counter()
        self.failures: list[str] = []
        self._port = server.http
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(servers.HOST, self._port, timeout=30)
        while not self._ended.is_set():
            try:
                connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
                response = connection.getresponse()
                content = json.loads(response.read())
                tags = content["meta"]["tags"]
                first, second = (row["count"] for row in content["jsonData"])
                self.seen[f"{tags['release']} {first:.3f} {second:.3f}"] += 1
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.failures.append(repr(error))
        connection.close()


def serving(server: Server) -> str:
    return str(server.get("/v2/models/pedalflow").json["versions"][0])


def test_a_new_release_is_taken_up_under_load_without_a_failure(
    tmp_path: Path, champion: Path, release: Release, doubled: Release
) -> None:
    with servers.wrapper(tmp_path, {"release": str(champion), "poll_s": 0.1}) as server, Load(server) as load:
        servers.wait_for(lambda: sum(load.seen.values()) > 100)
        for wanted in (doubled, release, doubled):
            before = sum(load.seen.values())
            point_to(champion, wanted)
            servers.wait_for(lambda wanted=wanted: serving(server) == wanted.name)
            servers.wait_for(lambda before=before: sum(load.seen.values()) > before + 100)
        servers.wait_for(lambda: server.metric("pedalflow_release_info", release=doubled.name) == 2)
        assert server.metric("pedalflow_release_info", release=release.name) == 0

    assert not load.failures
    assert {seen.split()[0] for seen in load.seen} == {release.name, doubled.name}
    assert len(load.seen) == 2  # each release with its own predictions, never the other's
    assert f"release {doubled.name} serves now, instead of {release.name}" in server.said()


def test_a_broken_release_is_refused_and_the_old_one_serves_on(
    tmp_path: Path, champion: Path, release: Release, doubled: Release
) -> None:
    broken = tmp_path / "broken" / doubled.name
    shutil.copytree(doubled.folder, broken)
    whole = (broken / ONNX_MODEL).read_bytes()
    (broken / ONNX_MODEL).write_bytes(whole[: len(whole) // 2])  # still being copied

    with servers.wrapper(tmp_path, {"release": str(champion), "poll_s": 0.05}) as server:
        write_pointer(champion, Pointer(doubled.name, doubled.checksum, broken))
        servers.wait_for(lambda: server.metric("pedalflow_release_refused_total") == 2)  # REST and gRPC
        assert serving(server) == release.name
        assert server.post("/predict", BODY).json["meta"]["tags"]["release"] == release.name
        assert server.said().count("the new one is refused") == 2

        (broken / ONNX_MODEL).write_bytes(whole)  # the copy is whole: nobody has to touch the pointer
        servers.wait_for(lambda: serving(server) == doubled.name)
        assert server.metric("pedalflow_release_refused_total") == 2
