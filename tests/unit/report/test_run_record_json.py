"""A run record survives its file, and a file that does not fit is refused by name."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from pedalflow.errors import SettingsError
from pedalflow.run_record import RunRecord, from_json, to_json
from tests.samples.real_loop import real_loop
from tests.samples.run_record import first_run, refused_run, tiny_predictions, tiny_record

TINY = (tiny_record(), tiny_predictions())


@pytest.mark.parametrize(
    "record", [TINY[0], first_run(TINY)[0], refused_run(TINY)[0]], ids=["promoted", "first", "refused"]
)
def test_a_record_comes_back_equal_with_its_types(record: RunRecord) -> None:
    again = from_json(to_json(record))

    assert again == record
    assert isinstance(again.statistics[0].histogram[0], tuple)
    assert again.candidate.__class__ is record.candidate.__class__


def test_records_of_real_runs_come_back_equal() -> None:
    for record, _ in real_loop():
        assert from_json(to_json(record)) == record


def test_the_same_record_gives_the_same_text() -> None:
    assert to_json(tiny_record()) == to_json(from_json(to_json(tiny_record())))


def test_text_outside_ascii_stays_readable() -> None:
    text = to_json(replace(tiny_record(), outcome="gefördert"))

    assert "gefördert" in text
    assert from_json(text).outcome == "gefördert"


def test_an_integer_is_taken_where_a_number_is_expected() -> None:
    values = json.loads(to_json(tiny_record()))
    values["growth"]["rate"] = 0

    rate = from_json(json.dumps(values)).growth.rate

    assert rate == 0.0 and isinstance(rate, float)


def test_keys_with_a_default_may_be_left_out() -> None:
    values = json.loads(to_json(tiny_record()))
    del values["params"], values["environment"]

    assert from_json(json.dumps(values)).params == {}


def changed(**changes: object) -> str:
    return json.dumps({**json.loads(to_json(tiny_record())), **changes})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (changed(colour="red"), "RunRecord: unknown key 'colour'"),
        (
            changed(growth={"rate": 0.1, "identified": True, "reason": "", "why": ""}),
            "RunRecord.growth: unknown key 'why'",
        ),
        (changed(growth={"rate": 0.1, "identified": True}), "RunRecord.growth: missing key 'reason'"),
        (changed(growth=None), "RunRecord.growth: expected a mapping"),
        (changed(train_rows="9338"), "RunRecord.train_rows: expected int, found '9338'"),
        (changed(train_rows=True), "RunRecord.train_rows: expected int, found True"),
        (changed(release_id=7), "RunRecord.release_id: expected str, found 7"),
        (changed(spans={}), "RunRecord.spans: expected a list"),
        (changed(anomalies=["hum"]), r"RunRecord.anomalies\[0\]: expected a mapping"),
        (changed(environment={"python": 3}), "RunRecord.environment.python: expected str"),
        ("{", "RunRecord: this is not JSON"),
        ("[]", "RunRecord: expected a mapping"),
        (changed(growth={"rate": math.nan, "identified": True, "reason": ""}), "NaN is not a JSON number"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(SettingsError, match=place):
        from_json(text)


def test_a_histogram_entry_of_the_wrong_length_is_refused() -> None:
    values = json.loads(to_json(tiny_record()))
    values["statistics"][0]["histogram"][1] = [0.5, 1.0]

    with pytest.raises(SettingsError, match=r"statistics\[0\]\.histogram\[1\]: expected 3 values, found 2"):
        from_json(json.dumps(values))


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, object()])
def test_what_json_cannot_hold_is_not_written(value: object) -> None:
    with pytest.raises(SettingsError, match="RunRecord cannot be written as JSON"):
        to_json(replace(tiny_record(), params={"rate": value}))
