"""params.yaml is read strictly, and what is wrong with it is said by the field's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pedalflow.errors import SettingsError
from pipelines.settings import read_settings

PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"


def changed(folder: Path, dotted: str, value: object) -> Path:
    """The project's params.yaml with one field set, or removed where the value is `...`."""
    content = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    *sections, name = dotted.split(".")
    inside = content
    for section in sections:
        inside = inside[section]
    if value is ...:
        del inside[name]
    else:
        inside[name] = value
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_params_of_the_project_are_valid() -> None:
    settings = read_settings(PARAMS)
    assert settings.use_case == "bikeshare"
    assert settings.window.evaluation_days == 14


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        ("window.evaluation_day", 14),
        ("surprise", 1),
        ("gates.maximum_wape", "0.4"),
        ("gates.maximum_wape", 0),
        ("gates.minimum_rows", 1.5),
        ("gates.minimum_rows", True),
        ("gates.minimum_skill", 1.0),
        ("gates.champion_tolerance", -0.01),
        ("gates.slice_maximum_ratio", ...),
        ("gates", ...),
        ("window.until_span", 0),
        ("window", None),
        ("tuner.trials", "eight"),
        ("registry.name", ""),
        ("registry.tracking_uri", 5),
        ("use_case", None),
        ("model", [1, 2]),
    ],
)
def test_wrong_field_is_named_with_the_file(tmp_path: Path, dotted: str, value: object) -> None:
    path = changed(tmp_path, dotted, value)
    with pytest.raises(SettingsError) as refused:
        read_settings(path)
    assert str(path) in str(refused.value)
    assert dotted in str(refused.value)


def test_all_wrong_fields_are_named_at_once(tmp_path: Path) -> None:
    text = (
        PARAMS.read_text(encoding="utf-8")
        .replace("until_span: 1", "until_span: one")
        .replace("trials:", "trails:")
    )
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"window\.until_span.*tuner\.trails"):
        read_settings(tmp_path / "params.yaml")


def test_missing_file_says_where_to_take_one_from(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is missing; copy params\.yaml"):
        read_settings(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["use_case: [", "a: b: c", "\t- x"])
def test_file_that_is_no_yaml_says_where_it_breaks(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"(?s)not readable as YAML.*line 1"):
        read_settings(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "just text", "- a list"])
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="file: "):
        read_settings(tmp_path / "params.yaml")


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00use_case")
    with pytest.raises(SettingsError, match=r"params\.yaml"):
        read_settings(tmp_path / "params.yaml")
