"""Files that are written whole: made with their folders, replaced at once, by several processes if need be."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from pedalflow.whole_files import write_whole


def write_many(path: Path, letter: str) -> None:
    for _ in range(300):
        write_whole(path, letter * 1000)


def test_the_folders_above_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "note.json"
    write_whole(path, "first")
    write_whole(path, "second ü")
    assert path.read_text(encoding="utf-8") == "second ü"
    assert [file.name for file in path.parent.iterdir()] == ["note.json"]


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
