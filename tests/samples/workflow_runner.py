"""Runs the jobs of a GitHub workflow on this machine: in the order of `needs`, each in a checkout of its own, every `run:` by bash.

What reaches outside is replaced at the edge, by tables that a test states: actions (`uses:`) by functions, a few heavy commands by the
same commands in small, programs such as `docker` by stand-ins on PATH. Whatever is in no table is an error, not a skipped step.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.samples.workflow_expressions import Contexts, evaluate, filled
from tests.samples.workflow_files import GITHUB, Mapped, read

TIMEOUT_S = 600


class StepFailed(AssertionError):
    """A command that ended with an error, with what it said; or a step that no table knows."""


@dataclass(frozen=True)
class Used:
    """One use of an action: its inputs, and the checkout it works in."""

    inputs: Mapping[str, str]
    checkout: Path


@dataclass(frozen=True)
class Ran:
    """A command that ran, as it stands in the workflow, and what it said."""

    job: str
    step: str
    command: str
    said: str


Action = Callable[[Used], Mapping[str, str]]


@dataclass(frozen=True)
class Edge:
    """The outside world as a test has it.

    Args:
        checkout: makes the checkout of a job in a folder that does not exist yet.
        actions: what stands for each action, by its name without the version; it returns the action's outputs.
        smaller: heavy commands, word for word, and the same command in small.
        variables: the variables of each environment; those of the repository under "".
        secrets: the secrets.
        surroundings: the environment variables of every command.
        event: what GitHub says about why the workflow runs.
        attempt: which attempt of the run it is, more than 1 where somebody has it run again.
    """

    checkout: Callable[[Path], None]
    actions: Mapping[str, Action]
    smaller: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    surroundings: Mapping[str, str] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    attempt: str = "1"


@dataclass
class WorkflowRunner:
    """Runs workflows in folders below `place`, and keeps what ran."""

    place: Path
    edge: Edge
    ran: list[Ran] = field(default_factory=list)
    jobs: int = 0

    def run(self, name: str, inputs: Mapping[str, str] | None = None) -> None:
        """Run all jobs of a workflow by its file's name. Raises StepFailed where one of its commands fails."""
        workflow = read((GITHUB / "workflows" / name).read_text(encoding="utf-8"))
        outputs: Mapped = {}
        for job in jobs_in_order(workflow["jobs"]):
            needs = {need: {"outputs": outputs[need]} for need in _listed(workflow["jobs"][job].get("needs"))}
            contexts = self._contexts(workflow, inputs or {}, needs)
            outputs[job] = self._run_job(f"{name}/{job}", workflow["jobs"][job], contexts)

    def _contexts(self, workflow: Mapped, inputs: Mapping[str, str], needs: Mapped) -> Mapped:
        declared = {name: "" for trigger in _triggers(workflow) for name in trigger.get("inputs", {})}
        github = {
            "event": self.edge.event,
            "event_name": "test",
            "ref": "refs/heads/main",
            "ref_name": "main",
            "run_attempt": self.edge.attempt,
            "run_id": "4711",
            "sha": self._commit(),
            "token": self.edge.secrets.get("GITHUB_TOKEN", ""),
        }
        return {
            "github": github,
            "inputs": {**declared, **inputs},
            "needs": needs,
            "secrets": self.edge.secrets,
            "steps": {},
            "vars": self._variables(""),
        }

    def _variables(self, environment: str) -> Mapping[str, str]:
        """What a job finds in `vars`. GitHub makes an environment that is not there, without any protection; here it is an error."""
        if environment not in self.edge.variables:
            raise StepFailed(f"there is no environment {environment!r}")
        return {**self.edge.variables[""], **self.edge.variables[environment]}

    def _commit(self) -> str:
        folder = self.place / "commit"
        if not folder.exists():
            self.edge.checkout(folder)
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def _run_job(self, name: str, job: Mapped, contexts: Mapped) -> Mapped:
        if "strategy" in job:
            raise StepFailed(f"{name}: the runner knows no `strategy`")
        if "uses" in job:
            given = {key: filled(str(value), contexts) for key, value in job.get("with", {}).items()}
            self.run(Path(job["uses"]).name, given)
            return {}
        self.jobs += 1
        place = self.place / f"{self.jobs}-{name.replace('/', '-')}"
        checkout, temp = place / "checkout", place / "temp"
        temp.mkdir(parents=True)
        self.edge.checkout(checkout)
        contexts = {**contexts, "runner": {"os": "Linux", "temp": str(temp)}}
        contexts = {**contexts, "vars": self._variables(filled(job.get("environment", ""), contexts))}
        contexts = {**contexts, "env": _filled_all(job.get("env", {}), contexts)}
        self._run_steps(name, job["steps"], checkout, contexts)
        return _filled_all(job.get("outputs", {}), contexts)

    def _run_steps(self, job: str, steps: Sequence[Mapped], checkout: Path, contexts: Mapped) -> None:
        for number, step in enumerate(steps, 1):
            if "if" in step and not evaluate(str(step["if"]), contexts):
                continue
            name = str(step.get("name") or step.get("uses") or number)
            outputs = self._run_step(job, name, step, checkout, contexts)
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": outputs}

    def _run_step(
        self, job: str, name: str, step: Mapped, checkout: Path, contexts: Mapped
    ) -> Mapping[str, str]:
        if "run" in step:
            return self._run_command(job, name, step, checkout, contexts)
        inputs = _filled_all(step.get("with", {}), contexts)
        action = str(step["uses"]).partition("@")[0]
        if action.startswith("./"):
            self._run_composite(job, checkout / action / "action.yml", inputs, checkout, contexts)
            return {}
        if action not in self.edge.actions:
            raise StepFailed(f"{job}, {name}: nothing stands for the action {action}")
        return self.edge.actions[action](Used(inputs, checkout))

    def _run_composite(
        self, job: str, file: Path, inputs: Mapping[str, str], checkout: Path, contexts: Mapped
    ) -> None:
        composite = yaml.safe_load(file.read_text(encoding="utf-8"))
        declared = composite["inputs"]
        unknown = set(inputs) - set(declared)
        missing = {name for name, found in declared.items() if found.get("required")} - set(inputs)
        if unknown or missing:
            raise StepFailed(f"{job}: {file} lacks {sorted(missing)} and knows no {sorted(unknown)}")
        defaults = {name: str(found.get("default", "")) for name, found in declared.items()}
        inner = {**contexts, "inputs": {**defaults, **inputs}, "steps": {}}
        self._run_steps(job, composite["runs"]["steps"], checkout, inner)

    def _run_command(
        self, job: str, name: str, step: Mapped, checkout: Path, contexts: Mapped
    ) -> Mapping[str, str]:
        command = str(step["run"]).strip()
        temp = contexts["runner"]["temp"]
        output = Path(temp) / "output"
        output.write_text("", encoding="utf-8")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", in_small(command, self.edge.smaller)],
            cwd=checkout,
            env={
                **os.environ,
                **self.edge.surroundings,
                **contexts.get("env", {}),
                **_filled_all(step.get("env", {}), contexts),
                "GITHUB_OUTPUT": str(output),
                "RUNNER_TEMP": temp,
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        said = done.stdout + done.stderr
        if done.returncode != 0:
            raise StepFailed(
                f"{job}, {name}: {command}\nended with {done.returncode} and said\n{said[-6000:]}"
            )
        self.ran.append(Ran(job, name, command, said))
        lines = output.read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


def in_small(command: str, smaller: Mapping[str, str]) -> str:
    """The command, or what the test runs for it; of `make` without a smaller form only whether it would know what to do."""
    if command in smaller:
        return smaller[command]
    return command.replace("make ", "make --dry-run ", 1) if command.startswith("make ") else command


def title(workflow: Mapped, contexts: Contexts) -> str:
    """The title of a workflow's run."""
    return filled(workflow["run-name"], contexts)


def jobs_in_order(jobs: Mapping[str, Mapped]) -> list[str]:
    """The names of the jobs, each after those that it needs. Raises StepFailed where that cannot be."""
    ordered: list[str] = []
    while len(ordered) < len(jobs):
        ready = [
            name
            for name, job in jobs.items()
            if name not in ordered and set(_listed(job.get("needs"))) <= set(ordered)
        ]
        if not ready:
            raise StepFailed(
                f"the jobs {sorted(set(jobs) - set(ordered))} wait for each other, or for none that exists"
            )
        ordered += ready
    return ordered


def _listed(needs: str | list[str] | None) -> list[str]:
    return [needs] if isinstance(needs, str) else needs or []


def _triggers(workflow: Mapped) -> Iterator[Mapped]:
    on = workflow["on"]
    yield from (
        trigger for trigger in (on.values() if isinstance(on, dict) else ()) if isinstance(trigger, dict)
    )


def _filled_all(values: Mapping[str, Any], contexts: Contexts) -> dict[str, str]:
    return {
        name: filled(str(value).lower() if isinstance(value, bool) else str(value), contexts)
        for name, value in values.items()
    }
