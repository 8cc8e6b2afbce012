"""The locks themselves, and what the set-up says of broken ones."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import locks  # noqa: E402  # tools/ is no package: it runs before anything is importable
from interpreters import SetupError  # noqa: E402  # as above

ALL = [lock.name for lock in locks.LOCKS]
GOOD = "tool==1.0 \\\n    --hash=sha256:" + "a" * 64 + " \\\n    --hash=sha256:" + "b" * 64 + "\n"


@pytest.mark.parametrize("name", ALL)
def test_every_pin_has_a_hash(name: str) -> None:
    text = locks.path_of(name).read_text(encoding="utf-8")
    assert len(locks.read(locks.path_of(name))) == len(re.findall(r"(?m)^\S+==", text)) > 0


@pytest.mark.parametrize("name", ALL)
def test_no_lock_names_an_address(name: str) -> None:
    text = locks.path_of(name).read_text(encoding="utf-8")
    assert not re.search(r"://|index-url|find-links|trusted-host|@ ", text)


@pytest.mark.parametrize("name", ALL)
def test_every_file_in_requirements_is_known(name: str) -> None:
    known = {f"{lock}.txt" for lock in ALL} | {"uv.in", "serving-overrides.txt", "README.md"}
    assert {path.name for path in (ROOT / "requirements").iterdir()} == known
    assert f"{name}.txt" in (ROOT / "requirements" / "README.md").read_text(encoding="utf-8")


def test_pipelines_and_dev_agree_in_every_version_they_share() -> None:
    pipelines, dev = (locks.read(locks.path_of(name)) for name in ("pipelines", "dev"))
    shared = pipelines.keys() & dev.keys()
    assert shared
    assert {name: pipelines[name] for name in shared} == {name: dev[name] for name in shared}


def test_serving_is_on_the_apache_line_and_carries_no_tensorflow() -> None:
    pins = locks.read(locks.path_of("serving"))
    assert (pins["seldon-core"], pins["alibi-detect"]) == ("1.17.1", "0.11.4")
    assert not [name for name in pins if name.startswith(("tensorflow", "tfx", "keras"))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("tool>=1.0 \\\n", "line 1 is neither"),
        ("tool==1.0\n", "line 1 is neither"),
        (GOOD + "other==2.0 \\\n", "ends before the last pin's sha256"),
        ("tool==1.0 \\\nother==2.0 \\\n", "line 2 is neither"),
        (GOOD.replace("a" * 64, "a" * 63), "line 2 is neither"),
        ("--index-url x\n" + GOOD, "line 1 is neither"),
        ("<<<<<<< HEAD\n" + GOOD, "line 1 is neither"),
    ],
)
def test_a_broken_lock_is_one_sentence_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    (tmp_path / "broken.txt").write_text(text, encoding="utf-8")
    with pytest.raises(SetupError) as caught:
        locks.read(tmp_path / "broken.txt")
    sentence = str(caught.value)
    assert said in sentence
    assert "broken.txt" in sentence and "`make locks`" in sentence and "\n" not in sentence


def test_a_missing_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    with pytest.raises(SetupError, match=r"gone\.txt is broken: it is missing"):
        locks.read(tmp_path / "gone.txt")


def test_the_command_that_renews_a_lock_writes_hashes_and_no_address() -> None:
    for lock in locks.LOCKS:
        command = locks.compile_command("uv", lock, upgrade=False)
        assert {"--generate-hashes", "--no-emit-index-url", "--no-header"} <= set(command)
        assert locks.compile_command("uv", lock, upgrade=True) == [*command, "--upgrade"]
