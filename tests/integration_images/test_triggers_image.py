"""The retraining service as its image has it: made from the Dockerfile's steps, started by its entry point, as its user."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from tests.integration_images.conftest import files_of, get, started
from tests.samples.base_image import missing_libraries
from tests.samples.free_ports import free_ports
from tests.samples.image_replay import Replayed, replay


def test_the_service_answers_and_writes_to_its_volume_alone(triggers: Replayed) -> None:
    (port,), before = free_ports(1), files_of(triggers)
    variables = {"PEDALFLOW_TRIGGERS_PORT": str(port)}
    with started(triggers, ready=f"http://127.0.0.1:{port}/healthz", variables=variables) as process:
        assert json.loads(get(f"http://127.0.0.1:{port}/readyz"))["ready"] is True
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert missing_libraries(process.pid, triggers.folder, triggers.base) == set()
    if os.geteuid() == 0:
        assert "Uid:\t10001\t10001\t10001\t10001" in status
    assert (triggers.at("/var/lib/pedalflow") / "state/triggers/triggers.sqlite").is_file()
    assert process.returncode == 0
    assert files_of(triggers) == before


def test_a_command_of_another_runtime_is_told_which_image_has_it(triggers: Replayed) -> None:
    code, said = triggers.run(["train"])
    assert code == 5
    assert "this image holds the runtime 'triggers' alone" in said and "pedalflow-pipelines" in said


def test_the_doctor_finds_nothing_wrong_with_an_image(triggers: Replayed) -> None:
    code, said = triggers.run(["--json", "doctor"])
    assert (code, json.loads(said)["healthy"]) == (0, True)


def test_the_code_is_importable_from_any_folder(triggers: Replayed) -> None:
    code, said = triggers.run(
        ["python", "-c", "import os; os.chdir('/'); import triggers; print(triggers.__file__)"], instead=True
    )
    assert (code, said.strip()) == (0, str(triggers.at("/app/triggers/__init__.py")))


def test_another_build_makes_the_same_files(triggers: Replayed, place: Path) -> None:
    first = fingerprints(triggers)
    shutil.rmtree(place)
    place.mkdir(mode=0o755)
    assert fingerprints(replay("triggers", place)) == first


def fingerprints(image: Replayed) -> dict[str, tuple[str, int, float]]:
    """Content, mode and time of everything in the layers."""
    paths = [path for layer in image.copied for path in image.at(layer).rglob("*")]
    return {str(path): (_content(path), path.lstat().st_mode, path.lstat().st_mtime) for path in paths}


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
