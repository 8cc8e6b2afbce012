"""Which hours the loop sends to the served champion, and what it says where serving fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pedalflow.errors import ServingFailed
from pedalflow.workspace import Workspace
from pipelines import served_span


@pytest.mark.parametrize(
    ("until_span", "sent", "said"),
    [(4, "span-05.csv", "had not arrived"), (13, "span-13.csv", "the newest")],
)
def test_the_next_span_is_sent_or_the_newest_where_there_is_no_next(
    tmp_path: Path, until_span: int, sent: str, said: str
) -> None:
    hours = served_span.next_hours(Workspace(tmp_path), "bikeshare", until_span)
    assert hours.file.name == sent and said in hours.title
    assert hours.file.read_text(encoding="utf-8").startswith("instant,dteday,")
    assert not Workspace(tmp_path).spans.exists()


def test_a_serving_runtime_that_ends_with_an_error_says_what_to_try() -> None:
    with pytest.raises(ServingFailed, match=r"exit code 3.*pedalflow serve.*--no-serve"):
        served_span._run([sys.executable, "-c", "raise SystemExit(3)"], verbose=False)
