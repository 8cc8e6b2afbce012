"""The wheel of a release, installed in a folder of its own and used by a program that knows nothing of this project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pedalflow.release import Release
from serving.release_wheel import Wheel, build_wheel
from serving.served import load_served
from tests.samples.small_release import sample_rows

UV = Path(__file__).parents[2] / ".venv" / "uv" / "bin" / "uv"
# -I -S leaves out the working directory and site-packages with what makes this project importable; its libraries are given by hand.
PROGRAM = """
import importlib, importlib.metadata, json, sys
folder, libraries = sys.argv[1:]
sys.path[:0] = [folder, libraries]
for hidden in ("serving", "pedalflow", "detectors"):
    try:
        importlib.import_module(hidden)
    except ImportError:
        continue
    raise SystemExit(f"{hidden} can be imported")
import demand_release
from demand_release import BadRequest, PackageBroken, features, predict, release
rows = json.load(sys.stdin)
answer = {"release": release().name, "facts": dict(release().facts), "predicts": release().predicts, "features": list(features())}
try:
    answer["predictions"] = predict(rows)
    answer["one"] = predict(rows[0])
    predict([rows[0], {**rows[1], "hum": 7}])
except BadRequest as bad:
    answer["bad"] = [bad.rule, bad.row, bad.field]
distribution = importlib.metadata.distribution("demand_release")
answer["version"], answer["requires"] = distribution.version, distribution.requires
answer["typed"] = any(str(path).endswith("py.typed") for path in distribution.files)
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def wheel(release: Release) -> Wheel:
    return build_wheel(release, "demand_release")


@pytest.fixture(scope="module")
def installed(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was installed in: by uv where it is there, else unpacked, which is what installing comes to."""
    folder = tmp_path_factory.mktemp("installed")
    path = tmp_path_factory.mktemp("wheel") / wheel.filename
    path.write_bytes(wheel.content)
    if UV.exists():
        target = ["--no-deps", "--offline", "--target", str(folder), "--python", sys.executable]
        subprocess.run([UV, "pip", "install", "--quiet", *target, path], check=True)
    else:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    return folder


def use(folder: Path, rows: list[dict[str, Any]], where: Path) -> subprocess.CompletedProcess[str]:
    import numpy

    libraries = str(Path(numpy.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(folder), libraries]
    return subprocess.run(
        command, input=json.dumps(rows), capture_output=True, text=True, cwd=where, timeout=120
    )


def test_it_predicts_what_the_server_predicts_without_any_of_our_code(
    release: Release, wheel: Wheel, installed: Path, tmp_path: Path
) -> None:
    rows = sample_rows(200)
    served = load_served(release.folder)
    expected = served.model.predict(served.schema.from_records(rows)).tolist()
    done = use(installed, rows, tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["predictions"] == expected
    assert answer["one"] == expected[:1]
    assert answer["bad"] == ["RANGE", 1, "hum"]
    assert answer["release"] == release.name
    assert answer["facts"] == release.facts
    assert answer["predicts"] == served.model.output
    assert answer["features"] == list(served.schema.names)


def test_its_metadata_is_what_an_installer_reads(wheel: Wheel, installed: Path, tmp_path: Path) -> None:
    answer = json.loads(use(installed, sample_rows(2), tmp_path).stdout)
    assert answer["version"] == wheel.version
    assert {requirement.partition(">")[0] for requirement in answer["requires"]} == {"numpy", "onnxruntime"}
    assert answer["typed"]


@pytest.mark.parametrize("name", ["model.onnx", "request_schema.json", "manifest.json", "scoring/model.py"])
def test_a_changed_file_is_noticed_before_the_first_prediction(
    installed: Path, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(installed, copy)
    with (copy / "demand_release" / name).open("ab") as file:
        file.write(b"\n")
    done = use(copy, sample_rows(1), tmp_path)
    assert done.returncode != 0
    assert "PackageBroken" in done.stderr and name in done.stderr and "install the wheel again" in done.stderr


def test_a_missing_file_is_noticed(installed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(installed, copy)
    (copy / "demand_release" / "model.onnx").unlink()
    assert "PackageBroken" in use(copy, sample_rows(1), tmp_path).stderr
