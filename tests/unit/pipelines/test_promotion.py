"""Who becomes champion: the rule as a table, and a promotion in the real MLflow on SQLite."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from components.registry import CHALLENGER, CHAMPION, CHECKSUM_TAG, RELEASE_TAG
from pedalflow.champion import read_pointer
from pedalflow.errors import GateRefused, RunFailed, SettingsError
from pedalflow.lock import exclusive
from pedalflow.release import Release, seal
from pedalflow.run_record import RunRecord, from_json
from pedalflow.workspace import Workspace
from pipelines.promotion import Promotion, may_promote, promote_release, training_lock
from pipelines.provenance import REPOSITORY
from pipelines.run_files import write_record
from tests.samples.run_record import tiny_record

RECORD = replace(tiny_record(), release_id="r-new", champion_release="r-old", outcome="challenger")
MODEL = "bike-demand"


@pytest.mark.parametrize(
    ("outcome", "serves", "expected"),
    [
        ("challenger", "r-old", True),  # judged against the champion of now
        ("challenger", "r-new", True),  # promoted before, and interrupted before it was recorded
        ("challenger", "r-other", False),  # somebody else became champion meanwhile
        ("challenger", None, False),  # the champion it was judged against was withdrawn
        ("refused", "r-old", False),
        ("promoted", "r-old", False),  # rolled back by hand: the same command does not undo that
    ],
)
def test_only_a_challenger_judged_against_the_champion_of_now_is_promoted(
    outcome: str, serves: str | None, expected: bool
) -> None:
    assert may_promote(replace(RECORD, outcome=outcome), serves) is expected


def test_the_first_release_is_promoted_where_there_is_no_champion_yet() -> None:
    assert may_promote(replace(RECORD, champion_release=None), None)


@dataclass(frozen=True)
class Shop:
    """A workspace with MLflow's tables and a registered model without versions."""

    workspace: Workspace
    client: MlflowClient

    def challenger(self, content: str, judged_against: str | None, outcome: str = "challenger") -> Release:
        """A release that holds `content`, registered, with the record of the run that made it."""
        folder = self.workspace.releases / content
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_text(content, encoding="utf-8")
        release = seal(folder, {})
        folder.rename(self.workspace.releases / release.name)
        tags = {RELEASE_TAG: release.name, CHECKSUM_TAG: release.checksum}
        version = self.client.create_model_version(MODEL, "somewhere", tags=tags).version
        self.client.set_registered_model_alias(MODEL, CHALLENGER, version)
        record = replace(
            RECORD,
            run_id=f"run-{content}",
            release_id=release.name,
            model_version=str(version),
            champion_release=judged_against,
            outcome=outcome,
        )
        (self.workspace.runs / record.run_id).mkdir(parents=True)
        write_record(self.workspace.runs / record.run_id, record)
        return release

    def record(self, content: str) -> RunRecord:
        """The record of the run that made the release with this content."""
        path = self.workspace.runs / f"run-{content}" / "run.json"
        return from_json(path.read_text(encoding="utf-8"))

    def aliases(self) -> dict[str, str]:
        """Alias -> number of the version."""
        found = self.client.get_registered_model(MODEL).aliases
        return {alias: str(number) for alias, number in found.items()}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables, which take seconds to make, and the registered model."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.sqlite"
    MlflowClient(f"sqlite:///{path}").create_registered_model(MODEL)
    return path


@pytest.fixture
def shop(tables: Path, tmp_path: Path) -> Shop:
    workspace = Workspace(tmp_path)
    workspace.state.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", workspace.params)
    shutil.copy(tables, workspace.state / "mlflow.sqlite")
    return Shop(workspace, MlflowClient(workspace.mlflow_uri))


def test_promoted_challenger_is_champion_for_registry_record_and_serving(shop: Shop) -> None:
    first = shop.challenger("first", None)
    promotion = promote_release(shop.workspace, first.name)
    assert promotion == Promotion(first.name, "1", None)
    assert shop.aliases() == {CHAMPION: "1"}
    assert shop.record("first").outcome == "promoted"
    pointer = read_pointer(shop.workspace.champion)
    assert (pointer.release, pointer.checksum) == (first.name, first.checksum)
    assert pointer.folder == shop.workspace.releases / first.name


def test_promotion_says_who_served_before(shop: Shop) -> None:
    first = shop.challenger("first", None)
    promote_release(shop.workspace, first.name)
    second = shop.challenger("second", first.name)
    assert promote_release(shop.workspace, second.name) == Promotion(second.name, "2", first.name)


def test_second_promotion_changes_nothing_and_leaves_a_newer_challenger_alone(shop: Shop) -> None:
    first = shop.challenger("first", None)
    promote_release(shop.workspace, first.name)
    shop.challenger("second", first.name)
    before = shop.aliases()
    assert promote_release(shop.workspace, first.name) == Promotion(first.name, "1", first.name)
    assert shop.aliases() == before == {CHAMPION: "1", CHALLENGER: "2"}


def test_promotion_that_was_interrupted_before_it_was_recorded_is_finished(shop: Shop) -> None:
    first = shop.challenger("first", None)
    shop.client.set_registered_model_alias(MODEL, CHAMPION, "1")
    promote_release(shop.workspace, first.name)
    assert shop.record("first").outcome == "promoted"
    assert read_pointer(shop.workspace.champion).release == first.name


@pytest.mark.parametrize(
    ("outcome", "judged_against", "error", "said"),
    [
        ("refused", "the champion", GateRefused, r"refused by a gate in run run-second.*serves"),
        ("challenger", "r-another", RunFailed, r"judged against r-another, but r-\w{12} serves now"),
        ("challenger", None, RunFailed, r"judged against no champion, but r-\w{12} serves now"),
        ("promoted", "the champion", RunFailed, r"train again"),  # served before, and was replaced
    ],
)
def test_release_that_may_not_serve_is_refused_and_the_champion_stays(
    shop: Shop, outcome: str, judged_against: str | None, error: type[Exception], said: str
) -> None:
    first = shop.challenger("first", None)
    promote_release(shop.workspace, first.name)
    against = first.name if judged_against == "the champion" else judged_against
    second = shop.challenger("second", against, outcome)
    with pytest.raises(error, match=said):
        promote_release(shop.workspace, second.name)
    assert shop.aliases()[CHAMPION] == "1"
    assert read_pointer(shop.workspace.champion).release == first.name


def test_release_that_no_run_made_is_named(shop: Shop) -> None:
    with pytest.raises(SettingsError, match=r"made a release r-nothing; `pedalflow status`"):
        promote_release(shop.workspace, "r-nothing")


def test_promotion_waits_for_a_training_and_says_so_when_its_patience_ends(shop: Shop) -> None:
    first = shop.challenger("first", None)
    with exclusive(training_lock(shop.workspace), ""), pytest.raises(RunFailed, match="promote again"):
        promote_release(shop.workspace, first.name, patience_s=0.0)
