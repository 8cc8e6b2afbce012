"""Runs a pipeline in this process: TFX's LocalDagRunner with SQLite ML Metadata, watched node by node."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import absl.logging
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from pedalflow.errors import PedalflowError, RunFailed
from pedalflow.run_record import NodeTiming
from pipelines.beam_arguments import without_arguments

Watch = Callable[[str], None]
STARTED, FINISHED = (
    "Component %s is running.",
    "Component %s is finished.",
)  # LocalDagRunner tells it in its log only


@dataclass(frozen=True)
class LocalRun:
    """What a finished run left: the folder of each output by node and name, and how long each node took."""

    outputs: Mapping[str, Mapping[str, Path]]
    timings: tuple[NodeTiming, ...]


def connection(database: Path) -> metadata_store_pb2.ConnectionConfig:
    """ML Metadata in one SQLite file, whose folder is made."""
    database.parent.mkdir(parents=True, exist_ok=True)
    return sqlite_metadata_connection_config(str(database))


def run_locally(pipeline: Pipeline, database: Path, on_start: Watch) -> LocalRun:
    """Run all nodes in order; `on_start` hears the name of each as it begins.

    Raises:
        PedalflowError: what one of our nodes raised.
        RunFailed: a node failed in another way; the cause is chained.
    """
    watcher = NodeWatcher(on_start)
    try:
        with _listening(watcher), without_arguments(), redirect_stdout(_Printed()):
            LocalDagRunner().run(pipeline)
    except PedalflowError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise RunFailed(
            f"the node {watcher.node} failed with {type(error).__name__}: {said}; `--verbose` shows the traceback"
        ) from error
    outputs, cached = _outputs_of_last_run(database)
    return LocalRun(outputs, watcher.timings(cached))


@dataclass
class NodeWatcher(logging.Handler):
    """Measures wall and CPU seconds between the lines that LocalDagRunner logs about a node."""

    on_start: Watch
    node: str = "before the first"
    _begun: tuple[float, float] = (0.0, 0.0)
    _measured: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        logging.Handler.__init__(self, logging.INFO)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Start or stop the clock."""
        if record.msg == STARTED:
            self._begun = time.perf_counter(), time.process_time()
            self.node = str(record.args[0])  # type: ignore[index]  # the message has one argument
            self.on_start(self.node)
        elif record.msg == FINISHED:
            now = time.perf_counter(), time.process_time()
            self._measured[str(record.args[0])] = now[0] - self._begun[0], now[1] - self._begun[1]  # type: ignore[index]

    def timings(self, cached: set[str]) -> tuple[NodeTiming, ...]:
        """The nodes in the order they ran in."""
        return tuple(
            NodeTiming(node, round(wall, 3), round(cpu, 3), node in cached)
            for node, (wall, cpu) in self._measured.items()
        )


class _Printed(io.TextIOBase):
    """What libraries print while they work (KerasTuner does) goes to the log: stdout is for results."""

    def write(self, text: str) -> int:
        """Log `text`, unless it is blank."""
        if line := text.strip():
            logging.getLogger("printed").info(line)
        return len(text)


@contextmanager
def _listening(handler: logging.Handler) -> Iterator[None]:
    """Let `handler` hear TFX, which logs to absl at INFO. What others show of it is theirs to filter (`pedalflow.quiet`).

    The level is set through absl, because TFT lowers it while it works and then puts back what absl remembers.
    """
    logger, verbosity = absl.logging.get_absl_logger(), absl.logging.get_verbosity()
    logger.addHandler(handler)
    absl.logging.set_verbosity(absl.logging.INFO)
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)
        logger.removeHandler(handler)


def _outputs_of_last_run(database: Path) -> tuple[dict[str, dict[str, Path]], set[str]]:
    """Output folders by node, and the nodes whose outputs came from the cache, of the newest run in ML Metadata."""
    store = MetadataStore(connection(database))
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
    outputs: dict[str, dict[str, Path]] = {}
    cached: set[str] = set()
    for execution in store.get_executions_by_context(run.id):
        node = _node_of(store, execution)
        if execution.last_known_state == metadata_store_pb2.Execution.CACHED:
            cached.add(node)
        events = [
            e
            for e in store.get_events_by_execution_ids([execution.id])
            if e.type == metadata_store_pb2.Event.OUTPUT
        ]
        uris = {
            artifact.id: artifact.uri
            for artifact in store.get_artifacts_by_id([e.artifact_id for e in events])
        }
        outputs[node] = {event.path.steps[0].key: Path(uris[event.artifact_id]) for event in events}
    return outputs, cached


def _node_of(store: MetadataStore, execution: metadata_store_pb2.Execution) -> str:
    contexts = store.get_contexts_by_execution(execution.id)
    name = next(context.name for context in contexts if context.type == "node")
    return name.rpartition(".")[2]
