"""Puts a release together: copies what the run made, writes the model card, seals it with the manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.use_cases import load_function
from components.verdict import Verdict
from pedalflow import release
from pedalflow.run_record import Score
from pedalflow.use_case import UseCase

GROWTH = "growth.json"


@dataclass(frozen=True)
class Parts:
    """The folders of what other nodes made: the Trainer's model, the fitted detectors, the curated schema."""

    model: Path
    detectors: Path
    schema: Path


def build_release(
    folder: Path, case: UseCase, parts: Parts, verdict: Verdict, facts: Mapping[str, Any]
) -> release.Release:
    """Fill the empty `folder` and seal it. `facts` is what the run was made of.

    Only what the same commit and data make again goes in: the comparison with the champion of the day does not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    extra = parts.model / release.TRAINED_EXTRA
    shutil.copytree(
        parts.model, folder / release.MODEL_ARTIFACT, ignore=shutil.ignore_patterns("assets.extra")
    )
    shutil.copy(extra / release.ONNX_MODEL, folder / release.ONNX_MODEL)
    shutil.copytree(parts.detectors, folder / release.DETECTORS)
    shutil.copy(next(parts.schema.glob("*.pbtxt")), folder / release.SCHEMA)
    _write_json(folder / release.REQUEST_SCHEMA, load_function(case.request_schema)())
    complete = {**facts, "growth": _growth(extra / GROWTH), "metrics": release_metrics(verdict)}
    (folder / release.MODEL_CARD).write_text(model_card(case, verdict, complete), encoding="utf-8")
    return release.seal(folder, complete)


def _growth(file: Path) -> dict[str, Any]:
    """What the Trainer says of growth; a use case whose model extrapolates none writes nothing."""
    if not file.is_file():
        return {"rate": 0.0, "identified": False, "reason": "the model has no growth term"}
    growth: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return growth


def release_metrics(verdict: Verdict) -> dict[str, Any]:
    """The candidate's and the naive mean's scores, overall and in each slice."""
    scores = verdict.evaluation
    slices = {
        f"{s.feature}={s.value}": {"candidate": asdict(s.candidate), "naive": asdict(s.naive)}
        for s in scores.slices
    }
    overall = {"candidate": asdict(scores.candidate), "naive": asdict(scores.naive)}
    return {
        "overall": overall,
        "slices": slices,
        "evaluation": [verdict.evaluation_first, verdict.evaluation_last],
    }


def model_card(case: UseCase, verdict: Verdict, facts: Mapping[str, Any]) -> str:
    """The model card (Mitchell et al., "Model Cards for Model Reporting", 2019), as Markdown."""
    scores, growth = verdict.evaluation, facts["growth"]
    spans = facts["spans"]
    lines = [
        f"# {case.name}: model card",
        "",
        f"Predicts `{case.label}` for one hour from {', '.join(f'`{c.name}`' for c in case.features)}.",
        "",
        f"- Trained on {verdict.train_rows:,} rows of spans {spans[0]['number']} to {spans[-1]['number']}, "
        f"from {spans[0]['first']} up to the day before {verdict.evaluation_first}.",
        f"- Judged on {scores.candidate.rows:,} rows, {verdict.evaluation_first} to {verdict.evaluation_last}, never trained on.",
        f"- Growth: {growth['rate']:.3f} a year ({growth['reason']}).",
        f"- Commit {facts['commit']}{' with uncommitted changes' if facts['dirty'] else ''}.",
        "",
        "| | rows | RMSE | MAE | WAPE | bias |",
        "|---|---:|---:|---:|---:|---:|",
        _row("this model", scores.candidate),
        _row("naive mean", scores.naive),
        *(_row(f"{s.feature} = {s.value}", s.candidate) for s in scores.slices),
        "",
        *case.intended_use.splitlines(),
        "",
    ]
    return "\n".join(lines)


def _row(name: str, score: Score) -> str:
    return f"| {name} | {score.rows} | {score.rmse:.1f} | {score.mae:.1f} | {score.wape:.3f} | {score.bias:+.1f} |"


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
