"""What serving writes, other rooms can find by its request id."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pedalflow.request_log import FOLDERS, find_request, ids_beginning
from serving import collector, segments


def test_a_line_of_the_segment_writer_is_found_while_its_segment_is_open_and_after(tmp_path: Path) -> None:
    writer = segments.SegmentWriter(tmp_path / segments.OWN_LOG, 10**9, 60.0)
    line = {"kind": "exchange", "id": "ö 1", "time": "t", "release": "r-1", "columns": {"hr": [1]}}
    writer.append({**line, "predictions": np.array([1.5])})
    while_open = find_request(tmp_path, "ö 1")
    writer.close()
    after = find_request(tmp_path, "ö 1")
    assert while_open is not None and after is not None
    assert while_open.release == after.release == "r-1"
    assert after.predictions == (1.5,) and ids_beginning(tmp_path, "ö", 2) == ("ö 1",)


def test_both_rooms_mean_the_same_folders() -> None:
    assert set(FOLDERS) == {segments.OWN_LOG, collector.FOLDER}
