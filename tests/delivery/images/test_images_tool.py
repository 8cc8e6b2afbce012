"""`make images`: the commands it gives an engine, what it says without one, and the file of digests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import images  # noqa: E402  # tools/ is no package

MAKINGS = images.Makings("c0ffee" + "0" * 34, "0.1.0", "https://example.org/pedalflow", "1700000000")
DIGEST = "a" * 64
# Stands for an engine: notes its arguments, and answers `image inspect`.
ENGINE = f"""#!{sys.executable}
import os, sys
with open(os.environ["ENGINE_LOG"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "build":
    print("the engine talks")
    sys.exit("wrong" in os.environ)
if "{{{{.Size}}}}" in sys.argv:
    print(123456789)
if "{{{{json .RepoDigests}}}}" in sys.argv:
    print('["other/x@sha256:{"b" * 64}", "' + sys.argv[-1].rsplit(":", 1)[0] + '@sha256:{DIGEST}"]')
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only Docker is the stand-in; what it was told."""
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(ENGINE, encoding="utf-8")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent))
    monkeypatch.setenv("ENGINE_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(images, "read_makings", lambda: MAKINGS)
    monkeypatch.setattr(images, "PUSHED", tmp_path / "build" / "images.json")
    for name in images.MIRRORS:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "log"


def test_images_are_built_with_their_labels_and_shown_in_a_table(
    log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert images.main(["build", "serving", "triggers"]) == 0
    told = [line for line in log.read_text().splitlines() if line.startswith("build")]
    assert told[0] == (
        "build --file images/serving/Dockerfile --tag pedalflow-serving:local "
        f"--build-arg COMMIT={MAKINGS.commit} --build-arg VERSION=0.1.0 "
        "--build-arg SOURCE=https://example.org/pedalflow --build-arg SOURCE_DATE_EPOCH=1700000000 ."
    )
    assert len(told) == 2
    out = capfd.readouterr().out
    assert "pedalflow-serving:local" in out and "123 MB" in out and "the engine talks" not in out


def test_all_images_are_built_where_none_is_named(log: Path) -> None:
    assert images.main(["build"]) == 0
    assert [line.split("/")[1] for line in log.read_text().splitlines() if line.startswith("build")] == [
        "pipelines",
        "serving",
        "triggers",
        "notebook",
    ]


def test_what_is_pushed_is_kept_by_digest_beside_what_was_pushed_before(log: Path, tmp_path: Path) -> None:
    pushed = tmp_path / "build" / "images.json"
    pushed.parent.mkdir()
    pushed.write_text('{"triggers": "kept"}', encoding="utf-8")
    assert images.main(["build", "serving", "--push", "registry.example.org:5000/team/"]) == 0
    place = "registry.example.org:5000/team/pedalflow-serving"
    assert f"push {place}:c0ffee000000" in log.read_text().splitlines()
    assert json.loads(pushed.read_text()) == {"triggers": "kept", "serving": f"{place}@sha256:{DIGEST}"}


def test_a_changed_tree_is_built_but_never_pushed(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    changed = MAKINGS._replace(commit=f"{MAKINGS.commit}-dirty")
    monkeypatch.setattr(images, "read_makings", lambda: changed)
    assert images.main(["build", "triggers"]) == 0
    assert images.main(["build", "triggers", "--push", "registry.example.org"]) == images.EXIT_USAGE
    assert "commit first" in capfd.readouterr().err
    assert "push" not in log.read_text()


def test_a_mirror_is_handed_on_by_name_and_never_shown(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://user:hush@mirror.example.org/simple")
    assert images.main(["build", "triggers", "--dry-run"]) == 0
    said = capfd.readouterr().out
    assert "--build-arg UV_DEFAULT_INDEX ." in said and "hush" not in said


def test_a_dry_run_shows_the_commands_and_runs_none(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert images.main(["build", "triggers", "--dry-run", "--push", "reg", "--base", "python:3.10"]) == 0
    build, tag, push = capfd.readouterr().out.splitlines()
    assert "--build-arg BASE=python:3.10" in build
    assert tag == "docker tag pedalflow-triggers:local reg/pedalflow-triggers:c0ffee000000"
    assert push == "docker push reg/pedalflow-triggers:c0ffee000000"
    assert not log.exists()


def test_a_build_that_fails_ends_with_a_sentence(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("wrong", "1")
    assert images.main(["build", "triggers"]) == images.EXIT_UNEXPECTED
    assert "the image triggers was not built; docker says above why" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ((), "neither Docker nor Podman is installed"),
        (("podman",), "podman is installed, but its engine does not answer"),
    ],
)
def test_without_an_engine_it_says_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    installed: tuple[str, ...],
    said: str,
) -> None:
    for name in installed:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert images.main(["build"]) == images.EXIT_ENVIRONMENT_MISSING
    assert said in capfd.readouterr().err


def test_an_image_that_nobody_knows_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        images.main(["build", "everything"])
    assert "choose of pipelines, serving, triggers, notebook" in capfd.readouterr().err


def test_a_push_without_a_digest_is_an_error() -> None:
    with pytest.raises(images.ImagesError, match="does not say under which digest"):
        images.digest_of("reg/pedalflow-serving:1", "null")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:hush@example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("", "unknown"),
    ],
)
def test_the_address_of_the_repository_is_shown_without_credentials(address: str, shown: str) -> None:
    assert images.without_credentials(address) == shown


def test_the_makings_of_a_checkout_are_its_commit_and_version() -> None:
    makings = images.read_makings()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert makings.commit.replace("-dirty", "") == head.stdout.strip()
    assert makings.version == "0.1.0"
    assert makings.time.isdecimal()


def test_the_tool_runs_on_whatever_python_there_is() -> None:
    done = subprocess.run(
        [ROOT / "tools" / "python", ROOT / "tools" / "images.py", "--help"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
    )
    assert done.returncode == 0, done.stderr
