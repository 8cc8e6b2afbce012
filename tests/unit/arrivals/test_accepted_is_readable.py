"""Whatever the door lets in, the component that makes examples of it can read: a span can never be changed afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from bikeshare.archive import ARCHIVE, cut_span
from bikeshare.columns import NAMES
from bikeshare.use_case import USE_CASE
from components.span_examples import SpanFile, read_window
from components.use_cases import model_columns
from pedalflow.spans import Span
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import arrive, list_spans


def read(spans: tuple[Span, ...]) -> dict[str, list[object]]:
    files = [SpanFile(span.number, span.path, span.md5) for span in spans]
    table = read_window(files, model_columns(USE_CASE))
    assert all(column.null_count == 0 for column in table.columns)
    columns: dict[str, list[object]] = table.to_pydict()
    return columns


def test_every_month_that_arrived_is_read_row_by_row(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "month.csv"
    for number in range(2, 14):
        file.write_bytes(cut_span(ARCHIVE, number))
        arrive(workspace, file)
    spans = list_spans(workspace)
    assert len(read(spans)["cnt"]) == sum(span.rows for span in spans) == 17_379


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("hum", "0.5", 0.5),
        ("hum", ".5", 0.5),
        ("hum", "1.", 1.0),
        ("hum", "5e-1", 0.5),
        ("hum", "5E-01", 0.5),
        ("hum", "-0.0", 0.0),
        ("hum", "1e-400", 0.0),
        ("hum", "0.5" + "0" * 300, 0.5),
        ("hum", "0" * 300 + ".5", 0.5),
        ("hr", "03", 3),
        ("hr", "0" * 17 + "3", 3),
        ("holiday", "-0", 0),
    ],
)
def test_every_way_to_write_a_value_that_is_accepted_is_read_as_that_value(
    column: str, written: str, value: float, line_end: str,
    workspace: Workspace, january: list[str], tmp_path: Path,
) -> None:  # fmt: skip
    # given: the fifth line, 3 o'clock on 1 January
    fields = january[4].split(",")
    fields[NAMES.index(column)] = written
    file = tmp_path / "january.csv"
    lines = [*january[:4], ",".join(fields), *january[5:]]
    file.write_bytes("".join(line + line_end for line in lines).encode("ascii"))
    # when
    span = arrive(workspace, file)
    # then
    assert read((span,))[column][3] == value
