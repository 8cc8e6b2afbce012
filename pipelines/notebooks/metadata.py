"""What ML Metadata knows of the pipeline's runs: nodes, what they read and wrote, and which spans and release they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pedalflow.errors import DataMissing
from pedalflow.workspace import Workspace
from pipelines.local_runner import connection

SPANS, RELEASE = "spans", "release"  # properties that SpanExampleGen and ReleaseBuilder leave


@dataclass(frozen=True)
class Written:
    """An artifact: its number in ML Metadata, its type, the name that its maker gives it, and its folder."""

    number: int
    kind: str
    name: str
    folder: Path


@dataclass(frozen=True)
class Node:
    """One node as it was executed in a run. `read` are numbers of artifacts."""

    name: str
    cached: bool
    read: tuple[int, ...]
    written: tuple[Written, ...]


@dataclass(frozen=True)
class PipelineRun:
    """One run of the pipeline: its nodes in the order they ran in, the spans it read (number → md5), and its release."""

    nodes: tuple[Node, ...]
    spans: Mapping[int, str]
    release: str | None

    def folder(self, node: str, name: str) -> Path:
        """Where a node wrote the output of this name. Raises DataMissing where it did not."""
        found = [w.folder for n in self.nodes if n.name == node for w in n.written if w.name == name]
        if not found:
            raise DataMissing(
                f"no node {node!r} of this run wrote {name!r}; the run may have been stopped before"
            )
        return found[0]


def pipeline_runs(workspace: Workspace) -> tuple[PipelineRun, ...]:
    """All runs that ML Metadata knows, oldest first. Raises DataMissing where nothing has run."""
    if not workspace.ml_metadata.is_file():
        raise DataMissing(f"no pipeline has run in {workspace.root}; call `pedalflow train` there first")
    store = MetadataStore(connection(workspace.ml_metadata))
    contexts = sorted(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
    return tuple(_run(store, context.id) for context in contexts)


def _run(store: MetadataStore, context: int) -> PipelineRun:
    executions = sorted(store.get_executions_by_context(context), key=lambda execution: execution.id)
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_context(context)}
    nodes = tuple(_node(store, execution, artifacts) for execution in executions)
    return PipelineRun(nodes, _spans(executions), _release(list(artifacts.values())))


def _node(store: MetadataStore, execution: mlmd.Execution, artifacts: Mapping[int, mlmd.Artifact]) -> Node:
    contexts = store.get_contexts_by_execution(execution.id)
    name = next(context.name for context in contexts if context.type == "node").rpartition(".")[2]
    events = store.get_events_by_execution_ids([execution.id])
    return Node(
        name,
        execution.last_known_state == mlmd.Execution.CACHED,
        tuple(event.artifact_id for event in events if event.type == mlmd.Event.INPUT),
        tuple(
            _written(artifacts[event.artifact_id], event.path.steps[0].key)
            for event in events
            if event.type == mlmd.Event.OUTPUT and event.artifact_id in artifacts
        ),
    )


def _written(artifact: mlmd.Artifact, name: str) -> Written:
    return Written(artifact.id, artifact.type, name, Path(artifact.uri))


def _spans(executions: Sequence[mlmd.Execution]) -> Mapping[int, str]:
    found = [e.custom_properties[SPANS] for e in executions if SPANS in e.custom_properties]
    return {span["number"]: span["md5"] for value in found for span in json.loads(value.string_value)}


def _release(artifacts: Sequence[mlmd.Artifact]) -> str | None:
    found = [a.custom_properties[RELEASE] for a in artifacts if RELEASE in a.custom_properties]
    return found[0].string_value if found else None


def layers(run: PipelineRun) -> dict[str, int]:
    """How far each node stands from the data: one more than the farthest of the nodes that it reads from."""
    writer = {written.number: node.name for node in run.nodes for written in node.written}
    places: dict[str, int] = {}
    for node in run.nodes:
        before = [places[writer[number]] for number in node.read if writer.get(number) in places]
        places[node.name] = max(before, default=-1) + 1
    return places


def edges(run: PipelineRun) -> tuple[tuple[str, str, str], ...]:
    """(writer, reader, what was handed over), each once."""
    writer = {written.number: (node.name, written.name) for node in run.nodes for written in node.written}
    found = [
        (writer[number][0], node.name, writer[number][1])
        for node in run.nodes
        for number in node.read
        if number in writer
    ]
    return tuple(dict.fromkeys(found))
