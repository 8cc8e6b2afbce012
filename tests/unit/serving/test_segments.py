"""The request log: what is answered is written, and nothing that was written is lost."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving import segments
from serving.segments import SegmentWriter, close_leftovers, read_segments

LINE = {"kind": "exchange", "columns": {"a": [1], "b": [2]}, "predictions": np.array([1.5])}
WRITE_AND_WAIT = """
import sys
from pathlib import Path
from serving.segments import SegmentWriter
writer = SegmentWriter(Path(sys.argv[1]), 10**9, 60.0)
for number in range(int(sys.argv[2])):
    writer.append({"number": number})
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SegmentWriter]:
    made = SegmentWriter(tmp_path, 10**9, 60.0)
    yield made
    made.close()


def names(folder: Path) -> list[str]:
    return sorted("".join(path.suffixes) for path in folder.iterdir())


def test_a_line_can_be_read_while_the_segment_is_open(writer: SegmentWriter, tmp_path: Path) -> None:
    writer.append(LINE)

    assert list(read_segments(tmp_path)) == [{**LINE, "predictions": [1.5]}]
    assert names(tmp_path) == [".jsonl.open"]


def test_private_fields_never_reach_the_disk(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, 10**9, 60.0, ("b",))
    writer.append(LINE)
    writer.append({"kind": "feedback"})
    writer.close()

    assert [line.get("columns") for line in read_segments(tmp_path)] == [{"a": [1]}, None]
    assert LINE["columns"] == {"a": [1], "b": [2]}


def test_a_full_segment_is_closed_and_the_next_one_begins(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, 20, 60.0)
    for number in range(5):
        writer.append({"number": number, "text": "x" * 20})
    writer.close()

    assert names(tmp_path) == [".jsonl"] * 5
    assert [line["number"] for line in read_segments(tmp_path)] == list(range(5))


def test_many_threads_write_whole_lines_through_rotations(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, 2_000, 0.001)

    def write(thread: int) -> None:
        for number in range(200):
            writer.append({"id": f"{thread}-{number}", "text": "x" * 30})

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()

    found = [line["id"] for line in read_segments(tmp_path)]
    assert len(found) == 800
    assert set(found) == {f"{thread}-{number}" for thread in range(4) for number in range(200)}


def test_a_killed_writer_loses_nothing_and_its_segment_is_closed_at_the_next_start(tmp_path: Path) -> None:
    root = Path(segments.__file__).parent.parent
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(tmp_path), "100"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        close_leftovers(tmp_path)
        assert names(tmp_path) == [".jsonl.open"]  # it is being written, so it is left alone
        os.kill(child.pid, signal.SIGKILL)

    assert [line["number"] for line in read_segments(tmp_path)] == list(range(100))
    SegmentWriter(tmp_path, 10**9, 60.0).close()
    assert names(tmp_path) == [".jsonl"]


def test_an_empty_leftover_is_removed(tmp_path: Path) -> None:
    (tmp_path / "requests-20120101T000000Z-1-1.jsonl.open").touch()
    close_leftovers(tmp_path)

    assert names(tmp_path) == []


def test_an_empty_segment_that_is_removed_while_others_are_read_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "requests-20120101T000000Z-1-1.jsonl").write_bytes(b'{"number":1}\n')
    empty = tmp_path / "requests-20120101T000000Z-1-2.jsonl.open"
    empty.touch()
    lines = read_segments(tmp_path)
    first = next(lines)
    empty.unlink()

    assert [first, *lines] == [{"number": 1}]


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "requests-20120101T000000Z-1-1.jsonl.open"
    path.write_bytes(b'{"number":1}\n{"number":2}\n{"num')

    assert [line["number"] for line in read_segments(tmp_path)] == [1, 2]


def test_a_broken_line_inside_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "requests-20120101T000000Z-1-1.jsonl").write_bytes(b'{"num\n{"number":2}\n')

    with pytest.raises(ValueError):
        list(read_segments(tmp_path))


def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(
    writer: SegmentWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    writer.append({"number": 1})
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:5]))
    with pytest.raises(OSError, match="only 5 of"):
        writer.append({"number": 2})
    monkeypatch.undo()
    writer.append({"number": 3})

    assert [line["number"] for line in read_segments(tmp_path)] == [1, 3]


def test_lines_are_synced_to_the_disk_by_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda file: synced.set())
    writer = SegmentWriter(tmp_path, 10**9, 0.01)
    writer.append({"number": 1})

    assert synced.wait(10)
    writer.close()


def broken_disk(file: int) -> None:
    raise OSError(errno.EIO, "the disk is broken")


def test_a_sync_waits_for_the_disk_though_the_thread_is_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_is_at_it, go_on = threading.Event(), threading.Event()
    synced: list[str] = []

    def fsync(file: int) -> None:
        synced.append(threading.current_thread().name)
        if synced[-1] == "log-sync":
            thread_is_at_it.set()
            go_on.wait(10)

    monkeypatch.setattr(os, "fsync", fsync)
    writer = SegmentWriter(tmp_path, 10**9, 0.01)
    writer.append({"number": 1})
    assert thread_is_at_it.wait(10)
    writer.sync()
    go_on.set()
    writer.close()

    assert threading.current_thread().name in synced


def test_a_disk_that_fails_in_the_thread_is_said_once_and_raised_by_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed_twice = threading.Event()
    failures: list[int] = []

    def fsync(file: int) -> None:
        if len(failures) == 2:  # by now the thread has said what came of the second
            failed_twice.set()
            return
        failures.append(file)
        broken_disk(file)

    monkeypatch.setattr(os, "fsync", fsync)
    writer = SegmentWriter(tmp_path, 10**9, 0.01)
    writer.append({"number": 1})
    assert failed_twice.wait(10)

    with pytest.raises(OSError, match="the disk is broken"):
        writer.sync()
    assert len(caplog.messages) == 1
    writer.close()


def test_a_line_is_appended_though_its_full_segment_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = SegmentWriter(tmp_path, 1, 60.0)
    monkeypatch.setattr(os, "fsync", broken_disk)
    writer.append({"number": 1})
    monkeypatch.undo()
    writer.append({"number": 2})

    with pytest.raises(OSError, match="the disk is broken"):
        writer.sync()
    writer.sync()
    writer.close()
    assert "the disk is broken" in caplog.text
    assert sorted(line["number"] for line in read_segments(tmp_path)) == [1, 2]


def test_a_writer_is_closed_though_the_disk_fails(writer: SegmentWriter, tmp_path: Path) -> None:
    writer.append({"number": 1})
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OSError, match="the disk is broken"):
        patch.setattr(os, "fsync", broken_disk)
        writer.close()
    close_leftovers(tmp_path)

    assert names(tmp_path) == [".jsonl"]  # its lock is free


def test_a_new_segment_begins_where_the_folder_was_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "deep" / "log"
    writer = SegmentWriter(folder, 10**9, 60.0)
    writer.append({"number": 1})
    shutil.rmtree(folder.parent)
    with pytest.raises(FileNotFoundError, match="removed with lines that were not synced yet"):
        writer.sync()
    writer.append({"number": 2})
    writer.sync()
    writer.close()

    assert [line["number"] for line in read_segments(folder)] == [2]
    assert "was removed while it was written" in caplog.text


def test_the_thread_finds_a_removed_segment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()
    writer = SegmentWriter(tmp_path / "log", 10**9, 0.01)
    monkeypatch.setattr(segments.logger, "warning", lambda *_: found.set())
    (tmp_path / "log").rename(tmp_path / "gone")  # at once: the thread may begin a new segment at any moment
    shutil.rmtree(tmp_path / "gone")
    assert found.wait(10)
    writer.append({"number": 1})
    writer.close()

    assert [line["number"] for line in read_segments(tmp_path / "log")] == [1]


def test_lines_are_appended_though_the_folder_is_removed_at_a_rotation(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    writer = SegmentWriter(folder, 1, 60.0)
    shutil.rmtree(folder)
    for number in range(3):
        writer.append({"number": number})
    writer.close()

    assert [line["number"] for line in read_segments(folder)] == [1, 2]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError):
        SegmentWriter(tmp_path / "file" / "log", 10**9, 60.0)
