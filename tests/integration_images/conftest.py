"""The images, each made once from its Dockerfile's own steps. Only one of the large ones lies on the disk at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.samples.image_replay import ROOT, Replayed, replay

READY_WITHIN_S = 120.0


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that the image's user may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="pedalflow-images-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def triggers(place: Path) -> Replayed:
    return replay("triggers", place)


@pytest.fixture(scope="module")
def serving(place: Path) -> Replayed:
    return replay("serving", place)


@pytest.fixture(scope="module")
def pipelines(place: Path) -> Replayed:
    return replay("pipelines", place)


def in_checkout(runtime: str, *words: str) -> str:
    """What a Python of the checkout's own environment prints."""
    python = ROOT / ".venv" / runtime / "bin" / "python"
    if not python.exists():
        pytest.skip(f"needs the environment {runtime}: make setup ENVIRONMENTS={runtime}")
    done = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def into_volume(image: Replayed, source: Path, target: str) -> None:
    """Copy a folder to a place of the image, for the image's user."""
    shutil.copytree(source, image.at(target), dirs_exist_ok=True)
    if os.geteuid() == 0:
        user, group = map(int, image.user.split(":"))
        for path in (image.at(target), *image.at(target).rglob("*")):
            os.chown(path, user, group)


@contextmanager
def started(
    image: Replayed, words: Sequence[str] = (), *, ready: str, **more: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the image, from when `ready` answers until it is told to stop, as Kubernetes tells it."""
    with (image.at("tmp") / "output").open("wb") as output:
        process = image.start(words, stdout=output, stderr=output, **more)
    try:
        _wait_for(ready, process)
        yield process
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(image.at('tmp') / 'output').read_text()}") from error
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            get(address)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer; the process: {process.poll()}")


def get(address: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(address, timeout=10) as answer:
        return bytes(answer.read())


def post(address: str, body: bytes) -> bytes:
    """The body of the answer to JSON."""
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def files_of(image: Replayed) -> Mapping[str, float]:
    """All files of the image's layers, and when each was written."""
    layers = (image.at(path) for path in image.copied)
    return {str(path): path.lstat().st_mtime for layer in layers for path in layer.rglob("*")}
