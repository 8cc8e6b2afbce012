"""Finding a use case by the name in params.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.use_cases import load_function, load_use_case, model_columns
from pedalflow.columns import Role
from pedalflow.errors import SettingsError


def test_bikeshare_is_found_by_its_name() -> None:
    assert load_use_case("bikeshare").label == "cnt"


def test_features_and_label_are_all_that_becomes_examples() -> None:
    columns = model_columns(load_use_case("bikeshare"))
    assert {column.role for column in columns} == {Role.FEATURE, Role.LABEL}
    assert not {"casual", "registered", "instant", "yr", "mnth"} & {column.name for column in columns}


def test_every_dotted_name_of_bikeshare_that_needs_no_tfx_leads_somewhere() -> None:
    case = load_use_case("bikeshare")
    for name in (case.archive_span, case.span_of, case.span_dates, case.request_schema):
        assert callable(load_function(name))


def test_use_case_that_is_no_package_is_named() -> None:
    with pytest.raises(SettingsError, match=r"use_case .trams. in params\.yaml: no package .trams."):
        load_use_case("trams")


def test_package_without_a_use_case_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hollow_case").mkdir()
    (tmp_path / "hollow_case" / "use_case.py").write_text("USE_CASE = 3\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=r"hollow_case/use_case.py holds no USE_CASE"):
        load_use_case("hollow_case")
