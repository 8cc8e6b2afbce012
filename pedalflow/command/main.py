"""The command `pedalflow`: reads its arguments, then does the work itself or becomes the runtime that can.

Imports nothing but the standard library, so that `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pedalflow.command import exits, options, options_common, runtimes, table
from pedalflow.command.outermost import outermost
from pedalflow.errors import SettingsError

WORKSPACE_VARIABLE = "PEDALFLOW_WORKSPACE"
# These work without params.yaml: `loop` brings its own, `doctor` looks at any folder, `evaluate` reads one run.
NEED_NO_WORKSPACE = ("loop", "doctor", "evaluate")


def _epilog() -> str:
    width = max(len(entry.name) for entry in table.COMMANDS)
    commands = "\n".join(f"  {entry.name:{width}}  {entry.summary}" for entry in table.COMMANDS)
    return (
        f"commands:\n{commands}\n\n`pedalflow COMMAND --help` explains one.\n\nexit codes:\n{exits.as_text()}"
    )


def front_parser() -> argparse.ArgumentParser:
    """The parser of what stands before the subcommand; the rest is left to the subcommand's own."""
    parser = argparse.ArgumentParser(
        prog="pedalflow",
        usage="pedalflow [--workspace DIR] [--verbose] [--json] COMMAND …",
        description="Trains, gates, registers and retrains a demand model, from the raw data to a release.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options_common.add_common(parser)
    parser.add_argument(
        "command", choices=[entry.name for entry in table.COMMANDS], metavar="COMMAND", help=argparse.SUPPRESS
    )
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _common_flags(front: argparse.Namespace) -> list[str]:
    """What stood before the subcommand, as its arguments. The environment variable is read here and nowhere else."""
    workspace = getattr(front, "workspace", None) or os.environ.get(WORKSPACE_VARIABLE) or options.ROOT
    folder = Path(workspace).expanduser().resolve()
    if not folder.is_dir() and folder.exists():
        raise SettingsError(f"the workspace {folder} is not a folder; give another one with --workspace")
    flags = [f"--{name}" for name in ("verbose", "json") if getattr(front, name, False)]
    return ["--workspace", str(folder), *flags]


def _ensure_workspace(name: str, parsed: argparse.Namespace) -> None:
    """Refuse a folder that is no workspace, which is nearly always a slip of the pen; `data prepare` makes it one.

    Raises SettingsError that names the folder.
    """
    folder: Path = parsed.workspace
    if name in NEED_NO_WORKSPACE or (folder / "params.yaml").is_file():
        return
    if name == "data" and parsed.action == "prepare":
        from pedalflow.workspace import Workspace, make_workspace

        make_workspace(Workspace(folder), options.ROOT / "params.yaml")
        print(f"{folder} is a new workspace; its params.yaml is a copy of the repository's", file=sys.stderr)
        return
    if runtimes.runtime_of_image():
        return  # the workspace of an image is a volume, which begins empty
    raise SettingsError(
        f"{folder} is not a workspace, it has no params.yaml; look at --workspace and ${WORKSPACE_VARIABLE}, "
        f"or make it one with: pedalflow --workspace {folder} data prepare"
    )


def run(argv: Sequence[str]) -> int:
    """Carries out one command line. Returns an exit code where the front door did the work itself."""
    front = front_parser().parse_args(argv)
    entry = table.command(front.command)
    arguments = [*_common_flags(front), *front.rest]
    parsed = options.parse(entry.name, arguments)
    _ensure_workspace(entry.name, parsed)
    if entry.runtime is None:
        from pedalflow.command import (
            doctor,
        )  # only this command needs it, and it takes a third of the start-up time

        return doctor.run(parsed.workspace, as_json=parsed.json)
    runtimes.start(entry.runtime, entry.module, arguments, parsed.verbose)


def main() -> int:
    """Entry point of the console script."""
    return outermost(run)


if __name__ == "__main__":
    sys.exit(main())
