"""Runs one container task as Kubeflow's launcher does: brings inputs, fills in placeholders, runs the command, collects outputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.kubeflow.entrypoint import ROOT_VARIABLE
from pipelines.kubeflow.places import LauncherFolders
from pipelines.kubeflow.rehearsal.outcome import Produced, TaskFailed
from pipelines.kubeflow.rehearsal.processes import Runner
from pipelines.kubeflow.rehearsal.store import ObjectStore

LONGEST_ARGUMENT = 131_071  # bytes of one argument that Linux passes to a process
LINES_OF_LOG = 15
NOT_STARTED = 128


@dataclass(frozen=True)
class Pod:
    """The folders of one attempt at one task: `root` has the launcher's folders, `tmp` what the launcher puts into /tmp."""

    folder: Path

    @property
    def root(self) -> Path:
        """What is / in a container."""
        return self.folder / "root"

    @property
    def log(self) -> Path:
        """All that the container printed."""
        return self.folder / "log"

    @property
    def output_file(self) -> Path:
        """Where the container says what it made."""
        return self.folder / "tmp" / "kfp_outputs" / "output_metadata.json"

    def value_file(self, name: str) -> Path:
        """Where an output parameter may be written."""
        return self.folder / "tmp" / "kfp" / "outputs" / name


def launch(
    handed: dict[str, Any],
    component: Mapping[str, Any],
    container: Mapping[str, Any],
    pod: Pod,
    store: ObjectStore,
    runner: Runner,
) -> Produced:
    """One attempt. Raises TaskFailed, with the end of what the container printed; then nothing was collected."""
    folders = LauncherFolders(pod.root)
    names = component.get("outputDefinitions", {}).get("parameters", {})
    handed["outputs"] |= {
        "parameters": {name: {"outputFile": str(pod.value_file(name))} for name in names},
        "outputFile": str(pod.output_file),
    }
    _prepare(handed, pod, folders, store)
    words = [_filled(word, handed, folders) for word in (*container["command"], *container.get("args", ()))]
    variables = {entry["name"]: entry["value"] for entry in container.get("env", ())}
    code = _run(words, {**variables, ROOT_VARIABLE: str(pod.root)}, pod, runner)
    if code != 0:
        raise TaskFailed(_end_of(pod.log) or f"it ended with exit code {code} and said nothing", code)
    return _collect(handed, pod, folders, store)


def _prepare(handed: Mapping[str, Any], pod: Pod, folders: LauncherFolders, store: ObjectStore) -> None:
    """Bring the inputs, and make the folders above the outputs; the outputs' own folders are the container's matter."""
    shutil.rmtree(pod.folder, ignore_errors=True)
    pod.folder.mkdir(parents=True)
    for items in handed["inputs"]["artifacts"].values():
        store.download(items["artifacts"][0]["uri"], Path(folders.local(items["artifacts"][0]["uri"])))
    for items in handed["outputs"]["artifacts"].values():
        Path(folders.local(items["artifacts"][0]["uri"])).parent.mkdir(parents=True, exist_ok=True)
    for parameter in handed["outputs"]["parameters"].values():
        Path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)


def _filled(word: str, handed: Mapping[str, Any], folders: LauncherFolders) -> str:
    """The word with Kubeflow's placeholders replaced."""
    if "{{$" not in word:
        return word
    for place, text in _placeholders(handed, folders).items():
        word = word.replace(place, text)
    return word


def _placeholders(handed: Mapping[str, Any], folders: LauncherFolders) -> dict[str, str]:
    found = {"{{$}}": json.dumps(handed)}
    for side in ("inputs", "outputs"):
        for name, items in handed[side]["artifacts"].items():
            uri = items["artifacts"][0]["uri"]
            found[f"{{{{$.{side}.artifacts['{name}'].uri}}}}"] = uri
            found[f"{{{{$.{side}.artifacts['{name}'].path}}}}"] = folders.local(uri)
    for name, value in handed["inputs"]["parameterValues"].items():
        found[f"{{{{$.inputs.parameters['{name}']}}}}"] = (
            value if isinstance(value, str) else json.dumps(value)
        )
    for name, parameter in handed["outputs"]["parameters"].items():
        found[f"{{{{$.outputs.parameters['{name}'].output_file}}}}"] = parameter["outputFile"]
    return found


def _run(words: list[str], variables: Mapping[str, str], pod: Pod, runner: Runner) -> int:
    longest = max(len(word.encode()) for word in words)
    if longest > LONGEST_ARGUMENT:
        raise TaskFailed(
            f"an argument of {longest} bytes is more than Linux passes on ({LONGEST_ARGUMENT}): pass less in parameters",
            NOT_STARTED,
        )
    return runner.run(words, variables, pod.log)


def _collect(handed: Mapping[str, Any], pod: Pod, folders: LauncherFolders, store: ObjectStore) -> Produced:
    """What the container says it made goes before what it was told to make; the folders are uploaded."""
    said = json.loads(pod.output_file.read_text(encoding="utf-8")) if pod.output_file.exists() else {}
    artifacts = {}
    for name, items in handed["outputs"]["artifacts"].items():
        made = (said.get("artifacts", {}).get(name, {}).get("artifacts") or [{}])[0]
        uri = made.get("uri") or items["artifacts"][0]["uri"]
        store.upload(Path(folders.local(uri)), uri)
        artifacts[name] = {"name": uri.rpartition("://")[2], "uri": uri, "metadata": made.get("metadata", {})}
    values = dict(said.get("parameterValues", {}))
    for name in handed["outputs"]["parameters"].keys() - values.keys():
        if not pod.value_file(name).exists():
            raise TaskFailed(f"it did not return the parameter {name}", NOT_STARTED)
        values[name] = pod.value_file(name).read_text(encoding="utf-8")
    return Produced(values, artifacts)


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-LINES_OF_LOG:])
