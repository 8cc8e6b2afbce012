"""The pointer to the release that serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pedalflow.champion import Pointer, read_pointer, write_pointer
from pedalflow.errors import ReleaseBroken

POINTER = Pointer("r-0123456789ab", "ab" * 32, Path("/releases/r-0123456789ab"))


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "state" / "champion.json"
    write_pointer(path, POINTER)
    assert read_pointer(path) == POINTER
    assert [found.name for found in path.parent.iterdir()] == ["champion.json"]


def test_a_relative_folder_is_taken_from_where_the_file_lies(tmp_path: Path) -> None:
    path = tmp_path / "champion.json"
    path.write_text(json.dumps({"release": "r", "checksum": "c", "folder": "releases/r"}), encoding="utf-8")
    assert read_pointer(path).folder == tmp_path / "releases" / "r"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"release": "r"}', "\x00"])
def test_a_file_that_is_no_pointer_is_refused_with_the_way_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "champion.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ReleaseBroken, match="pedalflow train"):
        read_pointer(path)


def test_before_the_first_promotion_there_is_no_file_and_the_message_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReleaseBroken, match="no release serves yet"):
        read_pointer(tmp_path / "champion.json")
