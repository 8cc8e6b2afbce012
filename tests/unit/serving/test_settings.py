"""Settings of a serving class."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from pedalflow.errors import SettingsError
from serving.predictor import PredictorSettings
from serving.settings import describe_settings, read_settings, setting


@dataclass(frozen=True)
class Sample:
    place: Path = setting("Where it is.")
    count: int = setting("How many.", 3, low=1, high=9)
    share: float = setting("Which part.", 0.5, low=0.0)
    quick: bool = setting("Whether.", False)
    mode: str = setting("Which way.", "this", choices=("this", "that"))
    names: tuple[str, ...] = setting("Who.", ())


def test_settings_are_read_by_their_types() -> None:
    given = {"place": "/x", "count": 9, "share": 1, "quick": True, "mode": "that", "names": "a, b,,c "}

    assert read_settings(Sample, given) == Sample(Path("/x"), 9, 1.0, True, "that", ("a", "b", "c"))
    assert read_settings(Sample, {"place": "/x"}) == Sample(Path("/x"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "setting place is missing: Where it is."),
        ({"place": "/x", "colour": 1}, "unknown setting colour; there are place, count"),
        ({"place": 3}, "setting place is 3, but must be of type STRING"),
        ({"place": "/x", "count": "3"}, "setting count is '3', but must be of type INT"),
        ({"place": "/x", "count": True}, "setting count is True, but must be of type INT"),
        ({"place": "/x", "count": 2.0}, "setting count is 2.0, but must be of type INT"),
        ({"place": "/x", "count": 0}, "setting count is 0, but must be at least 1"),
        ({"place": "/x", "count": 10}, "setting count is 10, but must be at most 9"),
        ({"place": "/x", "share": float("nan")}, "setting share is nan, but must be at least 0.0"),
        ({"place": "/x", "share": True}, "setting share is True, but must be of type FLOAT"),
        ({"place": "/x", "quick": 1}, "setting quick is 1, but must be of type BOOL"),
        ({"place": "/x", "mode": "other"}, "setting mode is 'other', but must be one of this, that"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Sample, given)

    assert message in str(caught.value)


def test_the_table_of_settings_has_every_field_with_its_meaning() -> None:
    table = describe_settings(PredictorSettings)

    assert [row.name for row in table] == [field.name for field in fields(PredictorSettings)]
    assert all(row.doc.endswith(".") for row in table)
    assert (table[0].type, table[0].default) == ("STRING", "must be given")
    assert {row.name: row.default for row in table}["private_fields"] == "(empty)"
