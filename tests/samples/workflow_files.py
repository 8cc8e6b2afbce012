"""The files of the delivery flows, and our own rules for them: those that no schema and no linter has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
CLOUD_BUILDS = [ROOT / "cloudbuild.yaml", *sorted(GITHUB.glob("cloudbuild-*.yaml"))]
ONE_COMMAND = re.compile(r"&&|;|\n|\bif\b|\bfor\b|\bwhile\b")
Mapped = dict[str, Any]


def read(text: str) -> Mapped:
    """The content of a workflow; its key `on`, which YAML takes for a truth value, is called `on`."""
    content: Mapped = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in content.items()}


def steps_of(content: Mapped) -> Iterator[Mapped]:
    """All steps of a workflow, a composite action or a build."""
    yield from content.get("steps", [])
    yield from content.get("runs", {}).get("steps", [])
    for job in content.get("jobs", {}).values():
        yield from job.get("steps", [])


def commands_of(content: Mapped) -> Iterator[str]:
    """All commands of it, whatever the steps call them."""
    for step in steps_of(content):
        if command := step.get("run") or step.get("script"):
            yield str(command).strip()


def unpinned(text: str) -> list[str]:
    """Actions of others that are not pinned by a commit, or do not say which version that is."""
    used = re.findall(r"uses: (?!\./)(.+)", text)
    return [use for use in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)]


def without_permissions(text: str) -> list[str]:
    """What begins with more than no permission, and jobs that do not say what they need."""
    content = read(text)
    jobs = [name for name, job in content["jobs"].items() if "permissions" not in job]
    return jobs if content.get("permissions") == {} else ["the workflow", *jobs]


def without_time_limit(text: str) -> list[str]:
    """Jobs that may run for GitHub's six hours."""
    return [
        name for name, job in read(text)["jobs"].items() if "steps" in job and "timeout-minutes" not in job
    ]


def without_concurrency(text: str) -> list[str]:
    """Jobs of which neither they nor their workflow say what becomes of a second run."""
    content = read(text)
    return [
        name
        for name, job in content["jobs"].items()
        if "steps" in job
        and not {"group", "cancel-in-progress"}
        <= {**content.get("concurrency", {}), **job.get("concurrency", {})}.keys()
    ]


def with_cache_and_identity(text: str) -> list[str]:
    """Jobs that act in the cloud on what a cache holds, which another branch may have filled."""
    return [
        name
        for name, job in read(text)["jobs"].items()
        if "id-token" in job.get("permissions", {})
        and any(
            "set-up" in step.get("uses", "") and str(step["with"].get("cache")) != "false"
            for step in job.get("steps", [])
        )
    ]


def without_strict_shell(text: str) -> list[str]:
    """Workflows whose pipes would hide a failure: only a shell that is named gets GitHub's `-o pipefail`."""
    shell = read(text).get("defaults", {}).get("run", {}).get("shell")
    return [] if shell == "bash" else ["the workflow"]


def with_logic(text: str) -> list[str]:
    """Steps that are more than one command."""
    return [command for command in commands_of(read(text)) if ONE_COMMAND.search(command)]


def with_expression_in_command(text: str) -> list[str]:
    """Commands into which GitHub would paste text before any shell quotes it."""
    return [command for command in commands_of(read(text)) if "${{" in command]


RULES: Mapping[str, Callable[[str], list[str]]] = {
    rule.__name__: rule
    for rule in (
        unpinned,
        without_permissions,
        without_time_limit,
        without_concurrency,
        with_cache_and_identity,
        without_strict_shell,
        with_logic,
        with_expression_in_command,
    )
}
