"""The front door: what it understands, what it starts and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pedalflow import errors
from pedalflow.command import exits, main, options, runtimes, table
from pedalflow.workspace import Workspace, make_workspace

ROOT = Path(__file__).resolve().parents[3]
NAMES = [entry.name for entry in table.COMMANDS]


class Started(Exception):
    """Stands for the process that the front door became."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[str], bool]]:
    """Collects what would have been started."""
    seen: list[tuple[str, str, list[str], bool]] = []

    def start(runtime: str, module: str, arguments: list[str], verbose: bool) -> None:
        seen.append((runtime, module, list(arguments), verbose))
        raise Started

    monkeypatch.setattr(runtimes, "start", start)
    monkeypatch.delenv(main.WORKSPACE_VARIABLE, raising=False)
    return seen


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder that the front door takes for a workspace."""
    (tmp_path / "params.yaml").write_text("use_case: bikeshare\n", encoding="utf-8")
    return tmp_path


def pedalflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command to its end, on a terminal that breaks no line."""
    return subprocess.run(
        [sys.executable, "-m", "pedalflow.command.main", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "500"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    done = pedalflow(name, "--help")
    assert done.returncode == 0
    assert table.command(name).example in done.stdout
    assert "--workspace" in done.stdout


def test_help_lists_every_command_and_every_exit_code() -> None:
    said = pedalflow("--help").stdout
    assert all(f"  {entry.name}" in said and entry.summary in said for entry in table.COMMANDS)
    assert all(entry.meaning in said for entry in exits.EXITS)


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_names_every_command_and_option(name: str) -> None:
    guide = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"## `pedalflow {name}" in guide
    parsers = [options.parser(name)]
    for parser in parsers:
        for action in parser._actions:
            if isinstance(action.choices, dict):
                parsers.extend(action.choices.values())
                assert all(f"{name} {choice}" in guide for choice in action.choices)
            assert all(option in guide for option in action.option_strings if option.startswith("--"))


def test_the_guide_names_every_exit_code() -> None:
    guide = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert all(f"| {entry.code} | {entry.meaning} |" in guide for entry in exits.EXITS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "invalid choice: 'trian'"),
        (["promote"], "RELEASE"),
        (["train", "--until-span", "0"], "'0' is not a span number"),
        (["train", "--until-span", "two"], "'two' is not a span number"),
        (["train", "--until", "2"], "--until-span"),
        (["data"], "ACTION"),
        (["data", "arrive"], "FILE"),
    ],
)
def test_a_wrong_command_line_is_refused_before_any_runtime_starts(arguments: list[str], said: str) -> None:
    done = pedalflow(*arguments)
    assert done.returncode == exits.USAGE.code
    assert said in done.stderr and "Traceback" not in done.stderr


def test_importing_the_front_door_loads_nothing_but_the_standard_library_and_pedalflow() -> None:
    code = "import sys, pedalflow.command.main; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {
        "tensorflow",
        "tfx",
        "numpy",
        "pandas",
        "mlflow",
        "dvc",
        "bikeshare",
        "components",
        "pipelines",
    }


def test_options_before_and_after_the_command_reach_the_runtime(
    started: list[tuple[str, str, list[str], bool]], workspace: Path
) -> None:
    with pytest.raises(Started):
        main.run(["--workspace", str(workspace), "--json", "train", "--until-span", "3", "--verbose"])
    runtime, module, arguments, verbose = started[0]
    assert (runtime, module, verbose) == ("pipelines", "pipelines.train_command", True)
    parsed = options.parse("train", arguments)
    assert (parsed.workspace, parsed.json, parsed.verbose, parsed.until_span) == (workspace, True, True, 3)


def test_the_workspace_is_the_flag_then_the_variable_then_the_repository(
    started: list[tuple[str, str, list[str], bool]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("flag", "variable"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "params.yaml").touch()
    for flags, variable in (
        (["--workspace", str(tmp_path / "flag")], "variable"),
        ([], "variable"),
        ([], ""),
    ):
        monkeypatch.setenv(main.WORKSPACE_VARIABLE, str(tmp_path / variable) if variable else "")
        with pytest.raises(Started):
            main.run([*flags, "status"])
    workspaces = [options.parse("status", arguments).workspace for _, _, arguments, _ in started]
    assert workspaces == [tmp_path / "flag", tmp_path / "variable", ROOT]


def test_a_workspace_that_is_a_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = pedalflow("--workspace", str(tmp_path / "file"), "status")
    assert done.returncode == exits.USAGE.code
    assert done.stderr.startswith("pedalflow: the workspace") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["train", "--until-span", "1"],
        ["data", "list"],
        ["data", "arrive", "x.csv"],
        ["data", "quarantine"],
    ],
)
def test_a_folder_without_parameters_is_no_workspace_and_is_named(
    started: list[tuple[str, str, list[str], bool]], tmp_path: Path, arguments: list[str]
) -> None:
    folder = tmp_path / "mistyped"
    with pytest.raises(errors.SettingsError, match=rf"{folder} is not a workspace"):
        main.run(["--workspace", str(folder), *arguments])
    assert started == [] and not folder.exists()


@pytest.mark.parametrize("arguments", [["loop"], ["evaluate", "run.json"]])
def test_loop_and_evaluate_take_any_folder(
    started: list[tuple[str, str, list[str], bool]], tmp_path: Path, arguments: list[str]
) -> None:
    with pytest.raises(Started):
        main.run(["--workspace", str(tmp_path / "new"), *arguments])
    assert not (tmp_path / "new").exists()


def test_prepare_makes_a_new_workspace_with_the_repositorys_parameters_and_says_so_once(
    started: list[tuple[str, str, list[str], bool]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deep" / "new"
    for _ in range(2):
        with pytest.raises(Started):
            main.run(["--workspace", str(folder), "data", "prepare"])
    assert (
        capsys.readouterr().err
        == f"{folder} is a new workspace; its params.yaml is a copy of the repository's\n"
    )
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]
    assert (folder / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_a_workspace_keeps_its_own_parameters(workspace: Path) -> None:
    before = (workspace / "params.yaml").read_bytes()
    assert not make_workspace(Workspace(workspace), ROOT / "params.yaml")
    assert (workspace / "params.yaml").read_bytes() == before


def test_a_folder_that_cannot_become_a_workspace_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(errors.SettingsError, match=rf"{tmp_path}/file/below cannot become a workspace"):
        make_workspace(Workspace(tmp_path / "file" / "below"), ROOT / "params.yaml")


def test_data_options_are_read(tmp_path: Path) -> None:
    parsed = options.parse(
        "data", ["--workspace", str(tmp_path), "arrive", "new.csv", "--span", "4", "--json"]
    )
    assert (parsed.action, parsed.file, parsed.span, parsed.json) == ("arrive", Path("new.csv"), 4, True)
    assert parsed.workspace == tmp_path


def test_a_missing_environment_is_named_with_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(errors.EnvironmentMissing, match=r"make -C .* setup ENVIRONMENTS=pipelines"):
        runtimes.python_of("pipelines", root=tmp_path)


def test_a_runtime_gets_reproducible_quiet_surroundings_and_none_of_the_callers_python() -> None:
    base = {"HOME": "/h", "PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "TF_USE_LEGACY_KERAS": "1"}
    quiet, loud = runtimes.surroundings(base, verbose=False), runtimes.surroundings(base, verbose=True)
    assert quiet["HOME"] == "/h" and not {"PYTHONPATH", "VIRTUAL_ENV"} & quiet.keys()
    assert quiet["TF_USE_LEGACY_KERAS"] == loud["TF_USE_LEGACY_KERAS"] == "0"
    assert quiet["TF_CPP_MIN_LOG_LEVEL"] == "3" and "TF_CPP_MIN_LOG_LEVEL" not in loud


CHILD = """
import sys, time
try:
    print("ready", flush=True)
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    time.sleep(0.2)
    print("cleaned up", flush=True)
    sys.exit(130)
"""


def _start_child(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    """A process that becomes a runtime running `code`, through the same function as the command."""
    python = tmp_path / ".venv" / "toy" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "toy.py").write_text(code, encoding="utf-8")
    start = (
        "from pathlib import Path; from pedalflow.command import runtimes; python_of = runtimes.python_of; "
        f"runtimes.python_of = lambda runtime: python_of(runtime, Path({str(tmp_path)!r})); "
        f"import os; os.chdir({str(tmp_path)!r}); runtimes.start('toy', 'toy', [], False)"
    )
    command = [sys.executable, "-c", start]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_ctrl_c_reaches_the_runtime_once_and_it_may_clean_up(tmp_path: Path) -> None:
    with _start_child(tmp_path, CHILD) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        os.killpg(child.pid, signal.SIGINT)  # what a terminal does
        assert child.stdout.read() == "interrupted\ncleaned up\n"
        assert child.wait() == exits.INTERRUPTED.code


def test_the_exit_code_of_the_runtime_passes_through(tmp_path: Path) -> None:
    with _start_child(tmp_path, "raise SystemExit(4)") as child:
        assert child.wait() == 4
