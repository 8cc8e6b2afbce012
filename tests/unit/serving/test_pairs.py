"""Retraining data: every labelled row once, screened, whichever way it was collected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pedalflow.errors import DataMissing, DataRefused, SettingsError
from pedalflow.release import Release
from serving import collected_command
from serving.pairs import Pairs, read_pairs
from serving.segments import SegmentWriter
from serving.served import Served, load_served
from tests.samples.small_release import expected_predictions, sample_columns, sample_rows, small_release

FIRST, COUNT = 24 * 150, 60


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def served(release: Release) -> Served:
    return load_served(release.folder)


def lines(release: str, count: int = COUNT, **changes: Any) -> list[dict[str, Any]]:
    """What the collector writes for `count` requests of a row each."""
    columns = {name: values[FIRST : FIRST + count] for name, values in sample_columns().items()}
    predictions, labels = expected_predictions(columns), columns["count"]
    found: list[dict[str, Any]] = []
    for place, row in enumerate(sample_rows(count, FIRST)):
        listed = {name: [value] for name, value in {**row, **changes}.items()}
        found += [
            {"kind": "request", "id": f"r{place}", "columns": listed},
            {
                "kind": "response",
                "id": f"r{place}",
                "release": release,
                "predictions": [float(predictions[place])],
            },
            {"kind": "feedback", "id": f"r{place}", "labels": [float(labels[place])]},
        ]
    return found


def write(folder: Path, content: Sequence[Mapping[str, Any]]) -> Path:
    writer = SegmentWriter(folder, 20_000, 60.0)
    for line in content:
        writer.append(line)
    writer.close()
    return folder


def pairs_of(folder: Path, served: Served) -> Pairs:
    return read_pairs([folder], served.schema, served.detectors)


def test_every_labelled_request_becomes_rows_in_the_order_of_time(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    np.random.default_rng(1).shuffle(content)  # type: ignore[arg-type]
    pairs = pairs_of(write(tmp_path, content), served)
    assert pairs.request_ids == tuple(f"r{place}" for place in range(COUNT))
    assert pairs.labels.tolist() == sample_columns()["count"][FIRST : FIRST + COUNT].tolist()
    assert pairs.releases == (served.release.name,) * COUNT
    for name, values in pairs.columns.items():
        assert values.tolist() == sample_columns()[name][FIRST : FIRST + COUNT].tolist(), name
    assert (pairs.unlabelled, pairs.unmatched, pairs.incomplete) == (0, 0, {})


def test_lines_that_were_written_twice_count_once(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    once, twice = (pairs_of(write(tmp_path / str(n), content * n), served) for n in (1, 2))
    assert twice.request_ids == once.request_ids and twice.reasons == once.reasons
    assert once.kept == COUNT


def test_the_predictors_own_log_gives_the_same_pairs(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    exchanges = [
        {**answer, **request, "kind": "exchange", "outliers": [False]}
        for request, answer in zip(content[::3], content[1::3])
    ]
    collected = pairs_of(write(tmp_path / "collected", content), served)
    own = pairs_of(write(tmp_path / "own", [*exchanges, *content[2::3]]), served)
    assert own.request_ids == collected.request_ids
    assert own.predictions.tolist() == collected.predictions.tolist()
    both = read_pairs([tmp_path / "collected", tmp_path / "own"], served.schema, served.detectors)
    assert both.request_ids == own.request_ids


def test_what_waits_for_its_other_half_is_counted(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    without_labels = [line for line in content if line["id"] != "r0" or line["kind"] != "feedback"]
    without_both = [line for line in without_labels if line["id"] != "r1" or line["kind"] == "feedback"]
    pairs = pairs_of(write(tmp_path, without_both), served)
    assert (len(pairs.labels), pairs.unlabelled, pairs.unmatched) == (COUNT - 2, 1, 1)


def test_a_poisoned_label_and_a_stuck_sensor_are_kept_out_with_the_reason(
    tmp_path: Path, served: Served
) -> None:
    content = lines(served.release.name)
    content[5]["labels"] = [1e6]
    pairs = pairs_of(write(tmp_path / "label", content), served)
    assert pairs.kept_out == {"label": 1} and pairs.kept == COUNT - 1
    stuck = pairs_of(write(tmp_path / "stuck", lines(served.release.name, hum=0.5)), served)
    assert stuck.kept_out["stuck"] == COUNT


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"columns": {"hr": [1]}}, "was not collected"),
        ({"labels": [1.0, 2.0]}, "not equally many"),
        (
            {"columns": {**{name: [value] for name, value in sample_rows(1)[0].items()}, "hr": [99]}},
            "does not take",
        ),
    ],
)
def test_requests_that_cannot_be_used_are_counted_by_why(
    tmp_path: Path, served: Served, change: dict[str, Any], why: str
) -> None:
    content = lines(served.release.name)
    for line in content[:3]:
        line.update({key: value for key, value in change.items() if key in line})
    pairs = pairs_of(write(tmp_path, content), served)
    (found,) = pairs.incomplete
    assert why in found and pairs.incomplete[found] == 1
    assert len(pairs.labels) == COUNT - 1


def test_nothing_collected_is_no_rows(tmp_path: Path, served: Served) -> None:
    pairs = pairs_of(tmp_path / "none", served)
    assert (len(pairs.labels), pairs.kept, pairs.reasons) == (0, 0, ())


def test_a_folder_of_something_else_is_refused(tmp_path: Path, served: Served) -> None:
    (tmp_path / "requests-1.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    with pytest.raises(DataRefused, match="none of a request log"):
        pairs_of(tmp_path, served)


def collected(release: Release, workspace: Path, *arguments: str) -> int:
    return collected_command.main(
        ["--workspace", str(workspace), "--release", str(release.folder), "--json", *arguments]
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_command_writes_what_may_retrain_and_what_may_not(
    tmp_path: Path, release: Release, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    content = lines(release.name)
    content[5]["labels"] = [1e6]
    write(tmp_path / "state" / "serving" / "collected", content)
    kept, out = tmp_path / f"kept.{kind}", tmp_path / f"out.{kind}"
    assert collected(release, tmp_path, "--output", str(kept), "--kept-out", str(out)) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["rows"], summary["kept"], summary["kept_out_by"]) == (COUNT, COUNT - 1, {"label": 1})
    read = pd.read_csv if kind == "csv" else pd.read_parquet
    rows, refused = read(kept), read(out)
    assert list(rows.columns[-5:]) == ["count", "prediction", "release", "request_id", "row"]
    assert len(rows) == COUNT - 1 and str(rows["dteday"][0]) == sample_rows(1, FIRST)[0]["dteday"]
    assert refused["request_id"].tolist() == ["r1"] and refused["reasons"][0].startswith("label: ")


def test_the_command_says_what_is_missing(tmp_path: Path, release: Release) -> None:
    with pytest.raises(DataMissing, match="nothing was collected yet"):
        collected(release, tmp_path, "--output", str(tmp_path / "out.csv"))
    with pytest.raises(DataMissing, match="does not exist"):
        collected(release, tmp_path, "--output", str(tmp_path / "out.csv"), "--log", str(tmp_path / "no"))
    with pytest.raises(SettingsError, match="two files"):
        same = str(tmp_path / "out.csv")
        collected(release, tmp_path, "--output", same, "--kept-out", same)


def test_the_summary_for_people_names_the_reasons(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    content[5]["labels"] = [1e6]
    pairs = pairs_of(write(tmp_path / "log", content), served)
    text = collected_command.as_text(collected_command.write(pairs, served, tmp_path / "kept.csv", None))
    assert text.startswith(f"{COUNT - 1} of {COUNT} labelled rows may retrain: ")
    assert "label      1" in text


def test_other_labels_or_another_request_by_one_id_are_not_trusted(tmp_path: Path, served: Served) -> None:
    content = lines(served.release.name)
    content.append({**content[2], "labels": [content[2]["labels"][0] + 1.0]})
    content.append({**content[3], "columns": {**content[3]["columns"], "hum": [0.123]}})
    content.append({**content[6], "columns": {"hum": content[6]["columns"]["hum"]}})
    pairs = pairs_of(write(tmp_path, content), served)
    assert pairs.incomplete == {"conflicting lines for one request id": 2}
    assert pairs.request_ids == tuple(f"r{place}" for place in range(2, COUNT))


def test_an_arrival_has_the_features_and_the_label_of_its_days_in_order_of_time(
    tmp_path: Path, release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    content = lines(release.name)
    last = sample_rows(COUNT, FIRST)[-1]
    again = [{**line, "id": "the same hour again"} for line in content[-3:]]
    again[0]["columns"] = {**again[0]["columns"], "hum": [0.4321]}
    again[2]["labels"] = [again[2]["labels"][0] + 1.0]
    write(tmp_path / "state" / "serving" / "collected", [*reversed(content[:-3]), *content[-3:], *again])
    file = tmp_path / "arrival.csv"
    day = str(last["dteday"])
    wished = ("--output", str(file), "--arrival", "--first", day, "--last", day)
    assert collected(release, tmp_path, *wished) == 0
    rows = pd.read_csv(file)
    assert list(rows.columns) == [*last, "count"] and set(rows["dteday"]) == {day}
    assert rows["hr"].is_monotonic_increasing and rows["hr"].is_unique
    assert json.loads(capsys.readouterr().out)["kept"] == len(rows) < COUNT
    assert (rows["hum"].iloc[-1], rows["count"].iloc[-1]) == (0.4321, again[2]["labels"][0])


def test_an_arrival_that_cannot_be_is_refused(tmp_path: Path, release: Release) -> None:
    write(tmp_path / "state" / "serving" / "collected", lines(release.name))
    table, rows = str(tmp_path / "out.parquet"), str(tmp_path / "out.csv")
    with pytest.raises(SettingsError, match="data arrive"):
        collected(release, tmp_path, "--output", table, "--arrival")
    with pytest.raises(SettingsError, match="add --arrival"):
        collected(release, tmp_path, "--output", rows, "--first", "2012-01-01")
    with pytest.raises(DataRefused, match="look at --first and --last"):
        collected(release, tmp_path, "--output", rows, "--arrival", "--first", "2049-01-01")
