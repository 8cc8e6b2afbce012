"""From a prediction to the hours it learned from, from a span to everything it touched, and runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import yaml
from mlflow import MlflowClient

from pedalflow.errors import DataMissing
from pedalflow.run_record import RunRecord
from pedalflow.workspace import Workspace
from pipelines.notebooks.metadata import PipelineRun
from pipelines.notebooks.opening import run_folders
from pipelines.promotion import registry_of
from pipelines.report.files import load
from pipelines.settings import read_settings

RELEASE_TAG = "pedalflow.release"


def ended(workspace: Workspace) -> tuple[RunRecord, ...]:
    """The records of all runs, in the order they ended; none in a fresh workspace."""
    found = (load(folder)[0] for folder in run_folders(workspace))
    return tuple(sorted(found, key=lambda record: record.finished))


def records(workspace: Workspace) -> tuple[RunRecord, ...]:
    """What `ended` gives. Raises DataMissing where that is nothing."""
    found = ended(workspace)
    if not found:
        raise DataMissing(f"no run has ended in {workspace.root}; 02-train-and-debug trains two")
    return found


def made_by(found: Sequence[RunRecord], release: str) -> RunRecord:
    """The run that made a release. Raises DataMissing where none of them did."""
    for record in found:
        if record.release_id == release:
            return record
    raise DataMissing(f"no run in this workspace made {release}")


# --- from a prediction back ----------------------------------------------------------------------------------------


def origin(record: RunRecord, pointers: Mapping[int, str]) -> pd.DataFrame:
    """Each span that a run learned from: its rows and days, the hash in the record, and whether DVC's pointer still has the same."""
    return pd.DataFrame(
        [
            {
                "span": span.number,
                "rows": span.rows,
                "first": span.first,
                "last": span.last,
                "md5": span.md5,
                "the pointer says": "the same" if pointers.get(span.number) == span.md5 else "another",
            }
            for span in record.spans
        ]
    )


def pointers(workspace: Workspace) -> dict[int, str]:
    """Span number → the md5 in its DVC pointer."""
    found = {}
    for path in sorted(workspace.spans.glob("span-*.csv.dvc")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[content["meta"]["span"]] = content["outs"][0]["md5"]
    return found


def learned_rows(hours: pd.DataFrame, record: RunRecord) -> pd.DataFrame:
    """The rows that trained a run's model: its spans without its evaluation days."""
    inside = hours["span"].isin([span.number for span in record.spans])
    rows = hours[inside & (hours["day"] < pd.Timestamp(record.evaluation_first))]
    if len(rows) != record.train_rows:
        raise DataMissing(
            f"the run trained on {record.train_rows} rows, but the data now hold {len(rows)} of that time; "
            "`pedalflow data list` says which span has changed"
        )
    return rows


def alike(
    rows: pd.DataFrame, hour: pd.Series, same: Sequence[str], near: Sequence[str], count: int = 40
) -> pd.DataFrame:
    """The training hours most like one hour: equal in the columns `same`, then nearest in `near`, each in its own deviations."""
    candidates = rows[(rows[list(same)] == hour[list(same)]).all(axis=1)]
    deviations = rows[list(near)].std().clip(lower=1e-9)
    away = ((candidates[list(near)] - hour[list(near)].astype(float)) / deviations) ** 2
    distance = np.sqrt(away.sum(axis=1))
    return candidates.assign(distance=distance).nsmallest(count, "distance", keep="first")


# --- from a span forward -------------------------------------------------------------------------------------------


def touched(
    workspace: Workspace, span: int, found: Sequence[RunRecord], runs: Sequence[PipelineRun]
) -> pd.DataFrame:
    """All that a span went into, in the order of its journey: file, pointer, examples, artifacts, releases, model versions."""
    md5 = pointers(workspace)[span]
    readers = [run for run in runs if run.spans.get(span) == md5]
    learned = [r for r in found if any(s.number == span and s.md5 == md5 for s in r.spans)]
    releases = [str(record.release_id) for record in learned]
    registered = versions(workspace)
    registered = registered[registered["release"].isin(releases)]
    artifacts = sum(len(node.written) for run in readers for node in run.nodes)
    rows = [
        ("DVC", "the pointer", f"span-{span:02d}.csv.dvc, md5 {md5}"),
        ("DVC", "the bytes", _cached(workspace, md5)),
        ("ML Metadata", "pipeline runs that read it", str(len(readers))),
        ("ML Metadata", "artifacts of these runs", str(artifacts)),
        *(
            (
                "run record",
                f"{r.run_id}",
                f"{r.outcome}, {r.train_rows:,} training rows, release {r.release_id}",
            )
            for r in learned
        ),
        *(
            ("MLflow", f"version {v['version']}", f"{v['release']}{v['alias'] and ', ' + v['alias']}")
            for v in registered.to_dict("records")
        ),
    ]
    return pd.DataFrame(rows, columns=["known to", "what", "which"])


def _cached(workspace: Workspace, md5: str) -> str:
    path = workspace.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    return f"{path.stat().st_size:,} bytes in DVC's cache" if path.is_file() else "not in the cache: dvc pull"


# --- runs beside each other ----------------------------------------------------------------------------------------


def versions(workspace: Workspace) -> pd.DataFrame:
    """MLflow's model versions with their releases and aliases, oldest first."""
    registry = registry_of(workspace, read_settings(workspace.params))
    client = MlflowClient(registry.tracking_uri)
    aliases = client.get_registered_model(registry.name).aliases
    found = [
        {
            "version": int(version.version),
            "release": version.tags.get(RELEASE_TAG, ""),
            "alias": ", ".join(sorted(a for a, n in aliases.items() if str(n) == str(version.version))),
        }
        for version in client.search_model_versions(f"name = '{registry.name}'")
    ]
    return pd.DataFrame(found, columns=["version", "release", "alias"]).sort_values("version")


def logged(workspace: Workspace) -> pd.DataFrame:
    """MLflow's runs of the pipeline, oldest first: `release`, and one column for each metric and parameter."""
    registry = registry_of(workspace, read_settings(workspace.params))
    client = MlflowClient(registry.tracking_uri)
    experiment = client.get_experiment_by_name(registry.name)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    rows = [{"release": run.info.run_name, **run.data.metrics, **run.data.params} for run in runs]
    return pd.DataFrame(rows)


def compared(found: Sequence[RunRecord]) -> pd.DataFrame:
    """Runs beside each other: what they learned from, what they were judged on, and how they did there."""
    return pd.DataFrame(
        [
            {
                "run": record.run_id,
                "release": record.release_id,
                "training rows": record.train_rows,
                "judged on": f"{record.evaluation_first} to {record.evaluation_last}",
                "RMSE": record.candidate.rmse,
                "naive": record.naive.rmse,
                "champion": record.champion.rmse if record.champion else None,
                "growth a year": record.growth.rate,
                "outcome": record.outcome,
            }
            for record in found
        ]
    )


def differing(runs: pd.DataFrame) -> pd.DataFrame:
    """The parameters and metrics of MLflow's runs that are not the same in all of them; a column a release."""
    table = runs.set_index("release").T
    differs = table.apply(lambda row: row.astype(str).nunique() > 1, axis=1)
    shown = table[differs].reset_index().rename(columns={"index": "logged"})
    return shown.rename_axis(columns=None)


def about(runs: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """The columns of `logged` that hold the release and the overall figures of some models."""
    return ["release", *(str(name) for name in runs if str(name).split("/")[0] in models)]


def artifacts(run: PipelineRun) -> pd.DataFrame:
    """Every artifact that a run wrote."""
    return pd.DataFrame(
        [
            {"node": node.name, "wrote": written.name, "type": written.kind, "number": str(written.number)}
            for node in run.nodes
            for written in node.written
        ]
    )
