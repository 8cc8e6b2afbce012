"""Which spans there are, and which of them the release that serves was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.errors import DataMissing
from pedalflow.release import seal
from pedalflow.workspace import Workspace
from pipelines.newest import newest_span, unseen_spans


def put_span(workspace: Workspace, number: int, md5: str) -> None:
    workspace.spans.mkdir(parents=True, exist_ok=True)
    meta = f"{{span: {number}, rows: 24, first: 2012-01-01, last: 2012-01-31}}"
    (workspace.spans / f"span-{number:02d}.csv.dvc").write_text(
        f"outs: [{{md5: {md5}}}]\nmeta: {meta}\n", encoding="utf-8"
    )


def put_champion(workspace: Workspace, spans: dict[int, str]) -> None:
    folder = workspace.releases / "one"
    folder.mkdir(parents=True)
    facts = {"spans": [{"number": number, "md5": md5} for number, md5 in spans.items()]}
    release = seal(folder, facts)
    write_pointer(workspace.champion, Pointer(release.name, release.checksum, folder))


def test_newest_span_is_the_last_that_arrived_and_an_empty_workspace_says_how_to_begin(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(DataMissing, match=r"no span has arrived.*data prepare --until-span 1"):
        newest_span(workspace)
    put_span(workspace, 2, "b")
    put_span(workspace, 1, "a")
    assert newest_span(workspace) == 2


@pytest.mark.parametrize(
    ("made_of", "unseen"),
    [
        (None, [1, 2]),  # nobody serves
        ({1: "a"}, [2]),
        ({1: "a", 2: "other"}, [2]),  # span 2 is another file than the one that it was made of
        ({1: "a", 2: "b"}, []),
    ],
)
def test_unseen_are_the_spans_that_the_champion_was_not_made_of(
    tmp_path: Path, made_of: dict[int, str] | None, unseen: list[int]
) -> None:
    workspace = Workspace(tmp_path)
    put_span(workspace, 1, "a")
    put_span(workspace, 2, "b")
    if made_of is not None:
        put_champion(workspace, made_of)
    assert [span.number for span in unseen_spans(workspace)] == unseen


def test_champion_that_cannot_be_read_has_seen_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    put_span(workspace, 1, "a")
    workspace.serving.mkdir(parents=True)
    workspace.champion.write_text("{", encoding="utf-8")
    assert [span.number for span in unseen_spans(workspace)] == [1]
