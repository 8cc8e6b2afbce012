"""What a task's container runs: `python -m pipelines.kubeflow.entrypoint`, in the place of TFX's own entry point.

It takes the same arguments. Everything that can be wrong with what Kubeflow hands over is found before TensorFlow is imported. An error
is one sentence and an exit code of `pedalflow`; then no output file is written, and Kubeflow's launcher collects nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from pedalflow.command.exits import code_for
from pedalflow.errors import PedalflowError, SettingsError
from pedalflow.long_lived import long_lived
from pedalflow.quiet import silence
from pipelines.kubeflow.handed import check_inputs, localized, properties, without_stand_ins
from pipelines.kubeflow.places import LauncherFolders

ROOT_VARIABLE = "PEDALFLOW_LAUNCHER_ROOT"  # the rehearsal gives every task a root of its own


def main(argv: list[str], root: Path) -> None:
    """Run one task, whose launcher's folders lie below `root`."""
    arguments, beam = _parser().parse_known_args(argv)
    handed = _json(arguments.json_serialized_invocation_args, "the invocation")
    spec = _json(arguments.json_serialized_inputs_spec_args, "the definition of the inputs")
    folders = LauncherFolders(root)
    given = properties(handed, spec)
    local = localized(handed, spec, folders)
    check_inputs(handed, folders)
    silence(verbose=False)
    with long_lived():
        from pipelines.kubeflow.execution import Call, execute
    execute(Call(arguments.executor_class_path, without_stand_ins(local), given, tuple(beam)), folders)


def guarded(argv: list[str], root: Path) -> int:
    """The same, with errors said and made an exit code. A traceback goes to the pod's log."""
    try:
        main(argv, root)
    except PedalflowError as error:
        print(f"pedalflow: {error}", file=sys.stderr)
        return code_for(error)
    except Exception as error:
        traceback.print_exc()
        return code_for(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipelines.kubeflow.entrypoint", allow_abbrev=False)
    for name in (
        "executor_class_path",
        "json_serialized_invocation_args",
        "json_serialized_inputs_spec_args",
    ):
        parser.add_argument(f"--{name}", required=True)
    return parser


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{what} that Kubeflow hands over is no JSON: {error}") from error


if __name__ == "__main__":
    sys.exit(guarded(sys.argv[1:], Path(os.environ.get(ROOT_VARIABLE, "/"))))
