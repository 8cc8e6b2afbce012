"""Runs the steps of a Google Cloud Build configuration on this machine, one after the other in one workspace, as Cloud Build does.

Substitutions reach the scripts as variables (`automapSubstitutions`), secrets where a step asks for them. Artifacts go into the folder that
stands for the buckets, each under its own name. The steps' images are not used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from tests.samples.workflow_files import CLOUD_BUILDS, read
from tests.samples.workflow_runner import TIMEOUT_S, Edge, Ran, StepFailed, in_small

BUILT_IN = {"BUILD_ID": "build-4711", "COMMIT_SHA": "the-commit-of-the-build", "PROJECT_ID": "a-project"}


def run_build(workspace: Path, name: str, edge: Edge, substitutions: Mapping[str, str]) -> list[Ran]:
    """Run a build; what ran. Raises StepFailed where a script fails, or where a substitution is unknown or still an example of an event."""
    (file,) = [path for path in CLOUD_BUILDS if path.name == name]
    build = read(file.read_text(encoding="utf-8"))
    unknown = set(substitutions) - set(build["substitutions"]) - {"_DVC_REMOTE"}
    if unknown or not build["options"]["automapSubstitutions"]:
        raise StepFailed(
            f"{name} knows no {sorted(unknown)}, or does not hand substitutions on to its scripts"
        )
    variables = {**BUILT_IN, **build["substitutions"], **substitutions}
    edge.checkout(workspace)
    ran = [_run(workspace, name, step, edge, variables) for step in build["steps"]]
    _keep(build.get("artifacts", {}).get("objects"), workspace, Path(edge.surroundings["OUTSIDE"]), variables)
    return ran


def _keep(
    objects: Mapping[str, Any] | None, workspace: Path, outside: Path, variables: Mapping[str, str]
) -> None:
    """Upload what the build made."""
    if objects is None:
        return
    folder = outside / "buckets" / Template(objects["location"]).substitute(variables).removeprefix("gs://")
    folder.mkdir(parents=True, exist_ok=True)
    for path in objects["paths"]:
        shutil.copy(workspace / path, folder)


def _run(
    workspace: Path, name: str, step: Mapping[str, str], edge: Edge, variables: Mapping[str, str]
) -> Ran:
    command = step["script"].strip()
    secrets = dict.fromkeys(step.get("secretEnv", ()), "a-token-of-the-test")
    done = subprocess.run(
        ["sh", "-e", "-c", in_small(command, edge.smaller)],
        cwd=workspace,
        env={**os.environ, **edge.surroundings, **variables, **secrets},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise StepFailed(
            f"{name}, {step['id']}: {command}\nended with {done.returncode} and said\n{said[-6000:]}"
        )
    return Ran(name, step["id"], command, said)
