"""The Dockerfiles keep the rules of docs/images.md."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pedalflow.command import runtimes
from tests.samples.dockerfile import Instruction, Stage, expand, instructions, stages

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
ROOMS = {
    "pipelines": {"pedalflow", "bikeshare", "detectors", "components", "pipelines"},
    "serving": {"pedalflow", "detectors", "serving"},
    "triggers": {"pedalflow", "triggers"},
    "notebook": {"pedalflow", "bikeshare", "detectors", "components", "pipelines"},
}
OURS = set().union(*ROOMS.values())
images = pytest.mark.parametrize("name", sorted(ROOMS))


def text_of(name: str) -> str:
    return (ROOT / "images" / name / "Dockerfile").read_text(encoding="utf-8")


def build_of(name: str) -> Stage:
    return stages(text_of(name))[0]


def final_of(name: str) -> Stage:
    return stages(text_of(name))[-1]


def copied(stage: Stage) -> list[str]:
    """The sources that a stage copies out of the repository."""
    return [source for copy in stage.of("COPY") if "from" not in copy.options for source in copy.plain[:-1]]


def variables(name: str) -> dict[str, str]:
    return {key: value for step in final_of(name).of("ENV") for key, value in step.pairs.items()}


def test_there_is_a_dockerfile_for_each_image() -> None:
    assert {path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")} == set(ROOMS)


@images
def test_hadolint_has_nothing_to_say(name: str) -> None:
    linter = BIN / "hadolint"
    if not linter.exists():
        pytest.skip("needs hadolint: make setup ENVIRONMENTS=delivery")
    done = subprocess.run([linter, "-"], input=text_of(name), capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_shellcheck_has_nothing_to_say() -> None:
    checker = BIN / "shellcheck"
    if not checker.exists():
        pytest.skip("needs shellcheck: make setup ENVIRONMENTS=delivery")
    scripts = [*(ROOT / "images").glob("*.sh"), ROOT / "images" / "pedalflow"]
    done = subprocess.run([checker, *scripts], capture_output=True, text=True)
    assert done.stdout == ""


@images
def test_every_silenced_rule_says_why(name: str) -> None:
    for line in re.findall(r"^# hadolint ignore.*$", text_of(name), re.MULTILINE):
        assert re.fullmatch(r"# hadolint ignore=DL\d+ # \w.{20,}", line), line


@images
def test_every_stage_begins_with_the_same_base_pinned_by_digest(name: str) -> None:
    bases = {stage.base for other in ROOMS for stage in stages(text_of(other))}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.10\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", bases.pop())
    assert ":latest" not in text_of(name)


@images
def test_the_container_is_nobody_special(name: str) -> None:
    assert [step.text for step in final_of(name).of("USER")] == ["10001:10001"]


@images
def test_what_is_copied_exists_and_reaches_the_engine(name: str) -> None:
    lets_through = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    ]
    for source in copied(build_of(name)):
        assert (ROOT / source).exists(), source
        assert any(Path(source).match(let) or let in map(str, Path(source).parents) for let in lets_through)


@images
def test_the_last_stage_takes_nothing_but_the_environment_and_the_code(name: str) -> None:
    assert copied(final_of(name)) == []
    assert [copy.plain for copy in final_of(name).of("COPY")] == [["/opt/venv"] * 2, ["/app"] * 2]


@images
def test_an_image_has_the_rooms_of_its_runtime_and_no_other(name: str) -> None:
    assert OURS & set(copied(build_of(name))) == ROOMS[name]


@pytest.mark.parametrize("room", sorted(OURS))
def test_an_image_has_every_room_that_its_rooms_import(room: str) -> None:
    imported = {
        module.split(".")[0] for path in (ROOT / room).rglob("*.py") for module in _imports(path)
    } & OURS
    for name, rooms in ROOMS.items():
        if room in rooms:
            assert imported <= rooms, name


def _imports(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return named + [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]


@images
def test_the_locks_are_installed_with_their_hashes(name: str) -> None:
    wanted = {"notebook": "pipelines"}.get(name, name)
    locks = {source for source in copied(build_of(name)) if source.startswith("requirements/")}
    assert locks == {"requirements/uv.txt", f"requirements/{wanted}.txt"}
    assert "--require-hashes" in (ROOT / "images" / "install.sh").read_text()
    assert all(
        "--require-hashes" in step.text for step in build_of(name).of("RUN") if "pip install" in step.text
    )


def test_the_lock_of_the_pipelines_holds_all_that_the_notebooks_need_where_a_person_opens_them() -> None:
    pins, needed = (_pins(name) for name in ("pipelines", "notebooks"))
    missing = {name for name, version in needed.items() if pins.get(name) != version}
    executes_them_for_the_tests = {"papermill"}
    assert missing == executes_them_for_the_tests, (
        "then the notebook's image has to install requirements/notebooks.txt too"
    )


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, re.MULTILINE))


@images
def test_the_variables_are_those_that_a_runtime_is_started_with(name: str) -> None:
    table = {**runtimes.REPRODUCIBLE, **runtimes.QUIET, **runtimes.PATIENCE, **runtimes.PRIVATE}
    found = variables(name)
    assert {key: found.get(key) for key in table} == table


@images
def test_an_image_says_which_runtime_it_holds(name: str) -> None:
    assert variables(name)[runtimes.IMAGE_VARIABLE] == {"notebook": "pipelines"}.get(name, name)


@images
def test_the_labels_say_what_the_image_is_and_what_it_was_built_from(name: str) -> None:
    labels = {key: value for step in final_of(name).of("LABEL") for key, value in step.pairs.items()}
    prefix = "org.opencontainers.image."
    assert labels == {
        f"{prefix}title": f"pedalflow-{name}",
        f"{prefix}revision": "${COMMIT}",
        f"{prefix}version": "${VERSION}",
        f"{prefix}source": "${SOURCE}",
        f"{prefix}licenses": "Apache-2.0",
    }


@images
def test_what_changes_with_every_commit_stands_below_what_does_not(name: str) -> None:
    words = [step.word for step in final_of(name).instructions]
    assert words.index("ARG") > max(at for at, word in enumerate(words) if word in ("COPY", "RUN"))


@images
def test_no_address_and_no_secret_is_written_in(name: str) -> None:
    lines = [line for line in text_of(name).splitlines() if not line.startswith("#")]
    assert not re.search(r"://|[Pp]assword|[Tt]oken|[Ss]ecret", "\n".join(lines))


def test_the_notebook_shares_its_first_steps_with_the_pipelines() -> None:
    pairs = list(zip(build_of("pipelines").instructions, build_of("notebook").instructions))
    installs = next(at for at, (one, _) in enumerate(pairs) if "install.sh /opt/venv" in one.text)
    assert all(one.same_as(other) for one, other in pairs[: installs + 1])


def test_continued_lines_and_comments_between_them_are_one_instruction() -> None:
    text = "FROM a\n# why\nRUN one \\\n    # in between\n    && two\nENV A=1 B='x y'\n"
    assert list(instructions(text)) == [
        Instruction("FROM", "a", 1),
        Instruction("RUN", "one && two", 3),
        Instruction("ENV", "A=1 B='x y'", 6),
    ]
    assert list(instructions(text))[-1].pairs == {"A": "1", "B": "x y"}


def test_a_file_that_ends_in_the_middle_of_an_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="backslash"):
        list(instructions("RUN one \\\n"))


def test_variables_are_filled_in() -> None:
    assert expand("${A}:${B}c", {"A": "/x"}) == "/x:c"
