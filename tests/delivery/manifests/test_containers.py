"""The containers of serving start here as the manifests write them, and answer where the manifests ask: probes, routes, metrics."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.samples.manifest_containers import PYTHON, Started, started
from tests.samples.rendered_manifests import container, predictor, rendered
from tools.manifest_rules.objects import Body, Pod
from tools.manifest_rules.rendering import ROOT
from tools.manifest_rules.seldon import nodes

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason='there is no .venv/serving; `make setup ENVIRONMENTS="serving"` makes it'
)
CONTAINERS = ("outliers", "predictor", "explainer", "drift", "collector")
METRICS = {
    "outliers": ("metrics", "/prometheus", "pedalflow_outlier_rows_total"),
    "predictor": ("metrics", "/prometheus", "pedalflow_rows_total"),
    "explainer": ("metrics", "/prometheus", "pedalflow_explained_rows_total"),
    "drift": ("http", "/metrics", "pedalflow_drift_window_rows"),
    "collector": ("http", "/metrics", "pedalflow_outbox_depth"),
}
_MAKE_RELEASE = """
import runpy  # a package of the environment is called tests, too
import sys
from pathlib import Path

release = runpy.run_path("tests/samples/small_release.py")["small_release"](Path(sys.argv[1]))
print(release.folder, release.name, release.checksum)
"""
_LOCAL_WIRING = """
import json
from pathlib import Path
from serving.local import Wish, parts

made = {part.name: list(part.command) for part in parts(Wish(Path("/mnt/release"), Path("/state")))}
print(json.dumps(made))
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folder, name and checksum of a small release."""
    place = tmp_path_factory.mktemp("release")
    return _run("-c", _MAKE_RELEASE, str(place)).split()


@pytest.fixture(scope="module", params=CONTAINERS)
def at_work(
    request: pytest.FixtureRequest, release: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Started]]:
    """Each container in turn, with its name."""
    pod, one = _of(request.param)
    place = tmp_path_factory.mktemp(request.param)
    places = {"/opt/venv/bin/python": PYTHON, "/mnt/release": Path(release[0]), "/var/lib/pedalflow": place}
    with started(pod, one, places, place / "log") as running:
        yield request.param, running


def test_every_probe_is_answered(at_work: tuple[str, Started]) -> None:
    name, running = at_work
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = _of(name)[1][probe]["httpGet"]
        assert running.get(asked["port"], asked["path"])[0] == 200, probe


def test_metrics_are_where_they_are_scraped(at_work: tuple[str, Started]) -> None:
    name, running = at_work
    port, path, metric = METRICS[name]
    status, text = running.get(port, path)
    assert (status, metric in text) == (200, True)


@pytest.mark.parametrize("name", ["outliers", "predictor"])
def test_with_the_component_grpc_a_wrapper_listens_for_it(
    name: str, release: list[str], tmp_path: Path
) -> None:
    # given
    pod, one = _of(name, "grpc")
    places = {"/opt/venv/bin/python": PYTHON, "/mnt/release": Path(release[0])}
    # when
    with started(pod, one, places, tmp_path / "log") as running:
        # then
        assert running.listens("grpc")


def test_what_is_fetched_is_verified_by_the_command_of_the_manifest(release: list[str]) -> None:
    # given the command line of the init container with the release's own values
    folder, name, checksum = release
    one = container(rendered("local"), "verify")
    said = {"/mnt/release": folder, "$(RELEASE_NAME)": name, "$(RELEASE_CHECKSUM)": checksum}
    arguments = [said.get(text, text) for text in one["args"]]
    # then
    assert "whole and unchanged" in _run(*one["command"][1:], *arguments)
    wrong = [text.replace(checksum, "0" * 64) for text in arguments]
    assert (
        subprocess.run([PYTHON, *one["command"][1:], *wrong], cwd=ROOT, capture_output=True).returncode == 7
    )


def test_the_graph_is_wired_as_on_one_machine() -> None:
    # given what `pedalflow serve` starts
    local = json.loads(_run("-c", _LOCAL_WIRING))
    graph = {node["name"]: node for node in nodes(predictor(rendered("production"))["graph"])}
    assert list(graph) == ["outliers", "predictor"]  # the detector above the model
    # then each wrapper has the class, the service type, the settings and the threads that it has there
    for name, node in graph.items():
        _, one = _of(name)
        command, options = local[name], _environment(one)
        assert one["command"][1:] == command[1:4], name
        assert one["args"] == ["--service-type", _option(command, "--service-type")]
        assert node["type"] == _option(command, "--service-type")
        settings = {each["name"]: each["value"] for each in json.loads(_option(command, "--parameters"))}
        for left_out in (
            "request_log",
            "private_fields",
        ):  # Seldon's logger does the first; nothing is private
            settings.pop(left_out, None)
        assert {each["name"]: each["value"] for each in node["parameters"]} == settings
        for variable, option in (
            ("GUNICORN_WORKERS", "--workers"),
            ("GUNICORN_THREADS", "--threads"),
            ("GUNICORN_KEEPALIVE", "--keepalive"),
        ):
            assert options[variable] == _option(command, option), variable


def test_together_the_event_services_are_the_one_of_one_machine() -> None:
    local = json.loads(_run("-c", _LOCAL_WIRING))["events"]
    receivers = [
        receiver
        for name in ("drift", "collector")
        for text in _of(name)[1]["args"]
        if text.startswith("--receivers=")
        for receiver in text.partition("=")[2].split(",")
    ]
    assert receivers == _option(local, "--receivers").split(",")


def _of(name: str, *components: str) -> tuple[Pod, Body]:
    bundle = rendered("production", *components)
    return next((pod, one) for pod in bundle.pods for one in pod.spec["containers"] if one["name"] == name)


def _environment(one: Body) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in one["env"]}


def _option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def _run(*arguments: str) -> str:
    done = subprocess.run([str(PYTHON), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
