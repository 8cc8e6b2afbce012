"""`pedalflow rollout` around the servers: its options, the release that it is given, the promotion by the other runtime, its record."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pedalflow.command import options
from pedalflow.errors import ReleaseBroken, RunFailed, SettingsError
from pedalflow.release import Release
from pedalflow.workspace import Workspace
from serving import rollout_command
from serving.error_sums import ErrorSums
from serving.rolling_out import Trial, rolled_out
from serving.rollout import Rule
from serving.rollout_command import candidate, promote_by_registry
from serving.rollout_record import PROMOTED, ROLLED_BACK, RolloutRecord, Side, keep
from tests.samples.small_release import small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


def workspace_with(tmp_path: Path, release: Release, name: str) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.releases.mkdir(parents=True)
    (workspace.releases / name).symlink_to(release.folder)
    return workspace


def test_a_release_is_found_by_its_name_and_by_its_folder(tmp_path: Path, release: Release) -> None:
    workspace = workspace_with(tmp_path, release, release.name)
    by_name, by_folder = (candidate(workspace, wanted) for wanted in (release.name, str(release.folder)))
    assert (by_name.release, by_name.checksum) == (release.name, release.checksum)
    assert (by_folder.release, by_folder.folder) == (release.name, release.folder)


def test_a_folder_that_holds_another_release_than_its_name_says_is_refused(
    tmp_path: Path, release: Release
) -> None:
    workspace = workspace_with(tmp_path, release, "r-000000000000")
    with pytest.raises(ReleaseBroken, match=f"holds {release.name}"):
        candidate(workspace, "r-000000000000")


def test_a_release_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no release r-1"):
        candidate(Workspace(tmp_path), "r-1")


@pytest.mark.parametrize(
    "wrong",
    [("--percent", "0"), ("--percent", "100"), ("--percent", "nan"), ("--canary-rows", "0"), ("--patience-s", "0")],
)  # fmt: skip
def test_options_out_of_range_are_refused(wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse("rollout", ["r-1", *wrong])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "address", ["127.0.0.1:9100", "ftp://host/", "http://user:secret@host/", "http://[", "http://"]
)
def test_a_broker_is_an_address_without_credentials(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse("serve", ["--broker", address])
    assert "secret" not in capsys.readouterr().err
    assert options.parse("serve", ["--broker", "http://h:1/x"]).broker == "http://h:1/x"


def fake_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> Path:
    """An interpreter that writes its arguments down, says something and ends; returns where the arguments are."""
    python, arguments = tmp_path / "python", tmp_path / "arguments"
    python.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(arguments)!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        f"print({said!r}, file=sys.stderr)\nsys.exit({code})\n",
        encoding="utf-8",
    )
    os.chmod(python, 0o755)
    monkeypatch.setattr(rollout_command, "python_of", lambda runtime: python)
    return arguments


def test_the_pipelines_runtime_promotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = fake_runtime(tmp_path, monkeypatch, "promoting", 0)
    promote_by_registry(Workspace(tmp_path), "r-1")
    assert arguments.read_text() == f"-m pipelines.promote_command --workspace {tmp_path} r-1 --json"


def test_a_promotion_that_is_refused_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_runtime(tmp_path, monkeypatch, "promoting …\npedalflow: r-1 was refused by a gate", 4)
    with pytest.raises(RunFailed, match="r-1 was not promoted: r-1 was refused by a gate"):
        promote_by_registry(Workspace(tmp_path), "r-1")


def test_what_was_rolled_back_is_not_promoted_untried(tmp_path: Path, release: Release) -> None:
    workspace = workspace_with(tmp_path, release, release.name)
    promoted: list[str] = []
    trial = Trial(
        workspace,
        candidate(workspace, release.name),
        20,
        Rule(),
        promote=lambda _, name: promoted.append(name),
        say=lambda _: None,
    )
    before = RolloutRecord(release.name, ROLLED_BACK, "it was worse", Side(None), Side(release.name))
    keep(workspace.rollouts, replace(before, times={"started": 0.0}))

    records = [rolled_out(trial), rolled_out(trial)]

    assert [record.outcome for record in records] == [ROLLED_BACK, ROLLED_BACK]
    assert "rolled back before, and no servers run here" in records[0].reason
    assert promoted == []


def test_what_was_never_rolled_back_is_promoted_at_once_where_nothing_serves(
    tmp_path: Path, release: Release
) -> None:
    workspace = workspace_with(tmp_path, release, release.name)
    promoted: list[str] = []
    pointer = candidate(workspace, release.name)
    other = RolloutRecord("r-other", ROLLED_BACK, "it was worse", Side(None), Side("r-other"))
    keep(workspace.rollouts, replace(other, times={"started": 0.0}))
    record = rolled_out(
        Trial(workspace, pointer, 20, Rule(), lambda _, name: promoted.append(name), lambda _: None)
    )
    assert (record.outcome, promoted) == (PROMOTED, [release.name])


def test_the_record_is_kept_as_it_is_printed(tmp_path: Path) -> None:
    errors = ErrorSums(72, 720.0, 144.0, 1440.0, 1500.0, 3000.0, 40000.0)
    record = RolloutRecord(
        "r-2", PROMOTED, "no worse", Side("r-1", errors), Side("r-2", errors), times={"started": 0.0}
    )
    kept = keep(tmp_path / "rollouts", record)
    assert kept.name == "19700101T000000Z-r-2.json"
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert content == json.loads(record.to_json())
    assert content["canary"].items() >= {"release": "r-2", "rows": 72, "wape": 0.1}.items()
