"""Files and folders that are written whole: made with their folders, replaced at once, by several threads and processes if need be."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pedalflow.whole_files import drafted, drafted_folder, give_name, write_whole


def write_many(path: Path, letter: str) -> None:
    for _ in range(300):
        write_whole(path, letter * 1000)


def test_the_folders_above_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "note.json"
    write_whole(path, "first")
    write_whole(path, "second ü")
    assert path.read_text(encoding="utf-8") == "second ü"
    assert [file.name for file in path.parent.iterdir()] == ["note.json"]


def test_bytes_stay_as_they_are(tmp_path: Path) -> None:
    write_whole(tmp_path / "note", b"\r\n\xff")
    assert (tmp_path / "note").read_bytes() == b"\r\n\xff"


def test_threads_of_a_process_may_write_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda letter: write_many(path, letter), "abcd"))
    assert path.read_text(encoding="utf-8") in {letter * 1000 for letter in "abcd"}
    assert [file.name for file in tmp_path.iterdir()] == ["note"]


def test_two_drafts_of_one_file_are_two_files_and_the_last_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "note"
    with drafted(path) as first:
        first.write_text("first", encoding="utf-8")
        with drafted(path) as second:
            second.write_text("second", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "second"
    assert path.read_text(encoding="utf-8") == "first"


def test_what_was_there_stays_where_the_new_content_fails(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "old")
    with pytest.raises(KeyboardInterrupt), drafted(path) as draft:
        draft.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt
    with drafted(path):
        """Writes nothing."""
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["note"]


def test_a_folder_is_seen_when_it_is_whole_and_the_first_of_a_name_stays(tmp_path: Path) -> None:
    for content, first in (("one", True), ("two", False)):
        with drafted_folder(tmp_path / "place") as draft:
            draft.mkdir()
            write_whole(draft / "note", content)
            assert give_name(draft, tmp_path / "place" / "named") is first
    assert (tmp_path / "place" / "named" / "note").read_text(encoding="utf-8") == "one"
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["named"]


def test_a_folder_that_is_not_finished_is_gone_and_one_that_cannot_be_named_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), drafted_folder(tmp_path / "place") as draft:
        write_whole(draft / "note", "half")
        raise KeyboardInterrupt
    with drafted_folder(tmp_path / "place") as draft, pytest.raises(FileNotFoundError):
        give_name(draft, tmp_path / "place" / "named")
    assert list((tmp_path / "place").iterdir()) == []


def test_two_processes_may_write_the_same_file_and_a_reader_sees_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "note"
    write_whole(path, "a" * 1000)
    writers = [multiprocessing.Process(target=write_many, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text(encoding="utf-8"))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen <= {"a" * 1000, "b" * 1000}
    assert [file.name for file in tmp_path.iterdir()] == ["note"]
