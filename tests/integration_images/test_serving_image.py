"""The serving image: its entry point answers a prediction, and the same image runs the event services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration_images.conftest import (
    files_of,
    get,
    in_checkout,
    into_volume,
    post,
    started,
)
from tests.samples.base_image import missing_libraries
from tests.samples.free_ports import free_ports
from tests.samples.image_replay import ROOT, Replayed

MAKE_RELEASE = f"""
import json, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests/samples")!r}]
from pathlib import Path
from small_release import sample_rows, small_release
print(json.dumps([small_release(Path(sys.argv[1])).name, sample_rows(2)]))
"""


@pytest.fixture(scope="module")
def release(serving: Replayed, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[object]]:
    """Where the image finds a release, and rows that it takes."""
    folder = tmp_path_factory.mktemp("release") / "made"
    name, rows = json.loads(in_checkout("serving", "-c", MAKE_RELEASE, str(folder)))
    into_volume(serving, folder / name, "/var/lib/pedalflow/release")
    return "/var/lib/pedalflow/release", rows


@pytest.mark.parametrize(
    ("served", "kind", "route"),
    [
        ("serving.predictor.Predictor", "MODEL", "predict"),
        ("serving.outlier_detector.OutlierDetector", "TRANSFORMER", "transform-input"),
        ("serving.explainer.Explainer", "MODEL", "predict"),
    ],
)
def test_each_class_answers_on_a_file_system_that_it_cannot_write(
    serving: Replayed, release: tuple[str, list[object]], served: str, kind: str, route: str
) -> None:
    folder, rows = release
    (port, grpc_port, metrics_port), before = free_ports(3), files_of(serving)
    ports = ["--http-port", str(port), "--grpc-port", str(grpc_port), "--metrics-port", str(metrics_port)]
    given = json.dumps([{"name": "release", "value": folder, "type": "STRING"}])
    words = [served, "--service-type", kind, "--host", "127.0.0.1", *ports, "--parameters", given]
    with started(serving, words, ready=f"http://127.0.0.1:{port}/health/ping") as process:
        said = post(f"http://127.0.0.1:{port}/{route}", json.dumps({"jsonData": rows}).encode())
        content = json.loads(said)["jsonData"]
        assert len(content["rows"] if isinstance(content, dict) else content) == len(rows)
        assert missing_libraries(process.pid, serving.folder, serving.base) == set()
    assert files_of(serving) == before


def test_the_event_services_run_in_the_same_image(
    serving: Replayed, release: tuple[str, list[object]]
) -> None:
    (port,) = free_ports(1)
    words = ["python", "-m", "serving.event_server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--release", release[0], "--state", "/var/lib/pedalflow/events", "--receivers", "drift,concept"]
    with started(serving, words, instead=True, ready=f"http://127.0.0.1:{port}/readyz") as process:
        assert b"pedalflow" in get(f"http://127.0.0.1:{port}/metrics")
        assert missing_libraries(process.pid, serving.folder, serving.base) == set()


def test_a_release_that_is_not_there_ends_the_container_with_one_sentence(serving: Replayed) -> None:
    nowhere = json.dumps([{"name": "release", "value": "/var/lib/pedalflow/nothing", "type": "STRING"}])
    code, said = serving.run(
        ["serving.predictor.Predictor", "--service-type", "MODEL", "--parameters", nowhere]
    )
    assert code != 0
    assert said.count("\n") <= 2 and "does not exist, so no release serves yet" in said


def test_the_compiled_code_does_not_know_when_its_source_was_written(serving: Replayed) -> None:
    for package in ("/app/serving", "/opt/venv/lib/python3.10/site-packages/numpy"):
        compiled = next(Path(serving.at(package)).glob("__pycache__/__init__.*.pyc"))
        assert compiled.read_bytes()[4] == 1, "the flag of byte code that nobody checks"
