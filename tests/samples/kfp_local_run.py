"""Runs a compiled pipeline with the orchestrator that Kubeflow's newest SDK has for one machine (`kfp.local`).

    python tests/samples/kfp_local_run.py FILE ROOT PYTHON NAME=VALUE…

It runs in the environment of the triggers, which has that SDK; the tasks run on PYTHON, which has TFX. Two checks of the SDK are lifted: it
wants to run nothing but Python functions of its own on a machine without containers.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from kfp import components, local
from kfp.local import subprocess_task_handler

Handler = subprocess_task_handler.SubprocessTaskHandler


def main(file: str, root: str, python: str, assignments: list[str]) -> None:
    """Run it to its end; a task that fails raises."""
    Handler.validate_not_container_component = lambda self, command: None
    Handler.validate_image = lambda self, image: None
    subprocess_task_handler.replace_python_executable = lambda command, new: [
        python if word == "python" else word for word in command
    ]
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=True)
    components.load_component_from_file(file)(**dict(_argument(text) for text in assignments))


def _argument(text: str) -> tuple[str, Any]:
    """NAME=VALUE; NAME:=VALUE has a value of JSON's."""
    name, _, value = text.partition("=")
    return (name[:-1], json.loads(value)) if name.endswith(":") else (name, value)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
