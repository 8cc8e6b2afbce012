"""Settings: where they come from, which one counts, and that no slip and no secret gets through."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pedalflow.errors import SettingsError
from pedalflow.workspace import Workspace
from triggers.events import Kind
from triggers.policy import BY_KIND
from triggers.settings import (
    PREFIX,
    TEN_YEARS_S,
    TriggersSettings,
    database_url,
    effective_rules,
    read_settings,
    secret_names,
)
from triggers.wording import moment


@pytest.fixture(autouse=True)
def _no_variables_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)


def file(folder: Path, text: str) -> Path:
    path = folder / "triggers.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_configuration_there_are_settings_for_one_machine() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.clock.value) == ("127.0.0.1", 9100, "wall")
    assert all(getattr(settings, name) is None for name in secret_names())


def test_the_environment_counts_before_the_file_and_the_file_before_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, PORT="9300", RULES__DRIFT__COOL_DOWN_S="60")
    settings = read_settings(
        file(tmp_path, "port: 9200\nkeep_days: 7\nrules: {drift: {quiet_s: 5, cool_down_s: 1}}\n")
    )
    assert (settings.port, settings.keep_days) == (9300, 7)
    assert settings.rules[Kind.DRIFT].model_dump() == {"settle_s": None, "cool_down_s": 60, "quiet_s": 5}


def test_a_kind_with_a_hyphen_can_be_named_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, RULES__CONCEPT_DRIFT__QUIET_S="30")
    assert effective_rules(read_settings())[Kind.CONCEPT_DRIFT].quiet_s == 30


def test_rules_that_are_not_named_stay_as_the_policy_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, RULES__DRIFT__QUIET_S="30")
    rules = effective_rules(read_settings())
    assert rules[Kind.DRIFT].cool_down_s == BY_KIND[Kind.DRIFT].cool_down_s
    assert {kind: rule for kind, rule in rules.items() if kind is not Kind.DRIFT} == {
        kind: rule for kind, rule in BY_KIND.items() if kind is not Kind.DRIFT
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROT", "1", "names no setting"),
        ("PORT", "70000", "port"),
        ("PORT", "nine", "port"),
        ("CLOCK", "sundial", "clock"),
        ("BODY_BYTES", "1", "body_bytes"),
        ("DELIVERIES_PER_S", "0", "deliveries_per_s"),
        ("WINDOW_S", "inf", "window_s"),
        ("PIPELINE", "Bad Name", "pipeline"),
        ("RULES", "{", "has to be JSON"),
        ("RULES__DRIFT__SETTLE_S", "-1", "settle_s"),
        ("RULES__DRIFT__COOL_DOWN", "1", "cool_down"),
        ("RULES__DRIFT__COOL_DOWN_S", "1e12", "cool_down_s"),
        ("KEEP_DAYS", "6", "keep_days is less than window_s"),
        ("RULES__SNOW__SETTLE_S", "1", "rules"),
        ("RULES__OUTLIERS__SETTLE_S", "1", "only recorded"),
        ("SOURCES__BRUNCH", "main", "sources.brunch"),
        ("LAUNCHERS__RETRAIN", "kubeflow", "kubeflow"),
        ("SCHEDULE", '[{"name": "hourly", "every_s": 59}]', "every_s"),
        ("SCHEDULE", '[{"name": "a", "every_s": 60}, {"name": "a", "every_s": 90}]', "the same name"),
        ("PUBSUB_AUDIENCE", "https://example.com", "needed together"),
    ],
)
def test_what_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    given(monkeypatch, **{name: value})
    with pytest.raises(SettingsError, match=said):
        read_settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot: 1\n", "prot"),
        ("[1, 2]\n", "names of settings"),
        ("1: 2\n", "names of settings"),
        ("port: [1\n", "no YAML; look at line 2"),
        ('port: "0123456789abcdef\n', "no YAML"),
        ("github_secret: 0123456789abcdef\n", "github_secret_file"),
        ("database: postgresql+psycopg://me:secret@db/x\n", "database_file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_its_content(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings(file(tmp_path, text))
    assert "0123456789abcdef" not in str(refused.value) and "me:secret" not in str(refused.value)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read_settings(file(tmp_path, "")).model_dump() == read_settings().model_dump()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        read_settings(tmp_path / "nowhere.yaml")


def test_a_secret_and_its_file_cannot_both_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, S3_TOKEN="0123456789abcdef", S3_TOKEN_FILE="/run/s3")
    with pytest.raises(SettingsError, match="s3_token and s3_token_file") as refused:
        read_settings()
    assert "0123456789abcdef" not in str(refused.value)


def test_no_secret_is_shown_by_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, GITHUB_SECRET="0123456789abcdef", DATABASE="postgresql+psycopg://me:hidden@db/x")
    settings = read_settings()
    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "0123456789abcdef" not in shown and "hidden" not in shown


def test_every_setting_says_what_it_means() -> None:
    assert all(field.description for field in TriggersSettings.model_fields.values())


def test_a_moment_as_late_as_the_rules_allow_can_be_shown() -> None:
    assert moment(time.time() + 3 * TEN_YEARS_S).startswith("20")


def test_the_database_is_the_workspaces_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    assert database_url(read_settings(), workspace) == f"sqlite:///{tmp_path}/state/triggers/triggers.sqlite"
    (tmp_path / "url").write_text("postgresql+psycopg://me:hidden@db/x\n")
    given(monkeypatch, DATABASE_FILE=str(tmp_path / "url"))
    assert database_url(read_settings(), workspace) == "postgresql+psycopg://me:hidden@db/x"
    (tmp_path / "url").unlink()
    with pytest.raises(SettingsError, match="database_file"):
        database_url(read_settings(), workspace)
