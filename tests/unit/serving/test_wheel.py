"""A release as a wheel: what is in it, and that the same release gives the same bytes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pedalflow.errors import ReleaseBroken, SettingsError
from pedalflow.release import Release
from serving import release_wheel, wheel_command
from serving.release_wheel import build_wheel, check_name, package_name, package_version
from tests.samples.small_release import small_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("release"))


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_the_same_release_gives_the_same_bytes_wherever_it_lies(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again = small_release(tmp_path)
    assert build_wheel(again).content == build_wheel(release).content


def test_another_release_is_another_version(release: Release, tmp_path: Path) -> None:
    other = small_release(tmp_path, scale=2.0)
    assert build_wheel(other).version != build_wheel(release).version


def test_the_record_names_every_file_with_its_hash_and_size(release: Release) -> None:
    wheel = build_wheel(release, "demand_release")
    with opened(wheel.content) as archive:
        record = f"demand_release-{wheel.version}.dist-info/RECORD"
        rows = {
            path: (digest, size)
            for path, digest, size in csv.reader(archive.read(record).decode().splitlines())
        }
        assert rows.keys() == set(archive.namelist())
        assert rows.pop(record) == ("", "")
        for path, (digest, size) in rows.items():
            content = archive.read(path)
            hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={hashed}", str(len(content)))


def test_it_holds_model_schema_card_manifest_and_the_code_that_serves(release: Release) -> None:
    with opened(build_wheel(release, "demand_release").content) as archive:
        names = {name.removeprefix("demand_release/") for name in archive.namelist()}
        assert {"model.onnx", "request_schema.json", "model_card.md", "manifest.json", "py.typed"} <= names
        scoring = Path(release_wheel.__file__).parent / "scoring"
        for path in scoring.glob("*.py"):
            assert archive.read(f"demand_release/scoring/{path.name}") == path.read_bytes()


def test_a_version_goes_by_the_newest_day_and_ends_with_the_release(release: Release) -> None:
    spans = [{"last": "2011-12-31"}, {"last": "2012-02-09"}]
    dated = replace(release, name="r-0123456789ab", facts={"spans": spans})
    assert package_version(dated) == "2012.2.9+r0123456789ab"
    assert package_version(replace(dated, facts={})) == "0+r0123456789ab"
    assert package_version(replace(dated, facts={"spans": [{"last": "soon"}]})) == "0+r0123456789ab"


def test_versions_are_pep_440_and_newer_data_is_newer(release: Release) -> None:
    version = pytest.importorskip("packaging.version").Version
    days = ("2011-12-31", "2012-02-09", "2012-10-01")
    versions = [
        version(package_version(replace(release, name=name, facts={"spans": [{"last": day}]})))
        for day, name in zip(days, ("r-ffffffffffff", "r-000000000001", "r-123456789012"))
    ]
    assert versions == sorted(versions)
    assert [str(entry) for entry in versions][1] == "2012.2.9+r000000000001"


def test_the_default_name_is_that_of_the_use_case() -> None:
    assert package_name({"use_case": "bikeshare"}) == "bikeshare_release"
    assert package_name({"use_case": "Energy-Demand.v2"}) == "energy_demand_v2_release"
    assert package_name({}) == "model_release"


@pytest.mark.parametrize(
    "name", ["", "Demand", "demand-model", "2demand", "_demand", "demand__model", "../demand"]
)
def test_a_name_that_cannot_be_imported_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name for a package"):
        check_name(name)


@pytest.mark.parametrize("name", ["json", "numpy", "serving"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is the name of another package"):
        check_name(name)


def test_the_command_writes_the_wheel_and_says_its_hash(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "wheels"
    given = ["--release", str(release.folder), "--output", str(folder), "--name", "demand_release"]
    assert wheel_command.main(["--json", *given]) == 0
    written = json.loads(capsys.readouterr().out)
    content = Path(written["wheel"]).read_bytes()
    assert [path.name for path in folder.iterdir()] == [
        f"demand_release-{written['version']}-py3-none-any.whl"
    ]
    assert written["sha256"] == hashlib.sha256(content).hexdigest()
    assert wheel_command.main(given) == 0
    assert "from demand_release import release" in capsys.readouterr().out


def test_no_wheel_is_made_of_a_broken_release(release: Release, tmp_path: Path) -> None:
    broken = small_release(tmp_path / "broken")
    (broken.folder / "model_card.md").write_text("another\n", encoding="utf-8")
    with pytest.raises(ReleaseBroken, match=r"model_card.md changed"):
        wheel_command.main(["--release", str(broken.folder), "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_a_wrong_setting(release: Release, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        wheel_command.main(["--release", str(release.folder), "--output", str(tmp_path / "file")])
