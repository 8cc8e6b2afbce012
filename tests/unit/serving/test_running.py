"""The note of what runs: true while the lock is held and the process lives, and stale otherwise."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pedalflow.lock import exclusive
from serving.local import Wish
from serving.running import LOCK, NOTE, noted, running, servers_of


def wish(state: Path) -> Wish:
    return Wish(state / "champion.json", state, port=22000, canary=True)


def test_servers_are_found_while_they_run(tmp_path: Path) -> None:
    servers = servers_of(wish(tmp_path))
    with exclusive(tmp_path / LOCK, "busy"), noted(tmp_path, servers):
        assert running(tmp_path) == servers
    assert running(tmp_path) is None and not (tmp_path / NOTE).exists()
    assert (servers.pid, servers.canary) == (os.getpid(), True)
    assert servers.addresses["canary"] == "http://127.0.0.1:22004"
    assert servers.metrics == {
        "predictor": "http://127.0.0.1:22003/metrics",
        "canary": "http://127.0.0.1:22006/metrics",
    }


def test_a_note_without_its_lock_is_stale(tmp_path: Path) -> None:
    with noted(tmp_path, servers_of(wish(tmp_path))):
        assert running(tmp_path) is None
        (tmp_path / LOCK).touch()
        assert running(tmp_path) is None


def test_the_note_of_a_dead_process_is_stale_though_others_are_starting(tmp_path: Path) -> None:
    dead = replace(servers_of(wish(tmp_path)), pid=2**22 + 1)  # above the greatest process number
    with exclusive(tmp_path / LOCK, "busy"), noted(tmp_path, dead):
        assert running(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff"])
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NOTE).write_bytes(content)
    with exclusive(tmp_path / LOCK, "busy"):
        assert running(tmp_path) is None
