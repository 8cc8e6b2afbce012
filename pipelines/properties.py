"""What a plan becomes in the execution properties of the nodes: texts and mappings that are the same whichever runner hands them over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.span_examples import SpanFile, spans_to_json
from pipelines.plan import Plan


def span_files(plan: Plan) -> str:
    """The spans as SpanExampleGen takes them."""
    return spans_to_json([SpanFile(span.used.number, span.path, span.used.md5) for span in plan.spans])


def transform_config(plan: Plan) -> dict[str, Any]:
    """What Transform carries along."""
    return {"code": plan.maker}


def training_config(plan: Plan) -> dict[str, Any]:
    """What the use case's `run_fn` and `tuner_fn` are told."""
    return {
        "hyperparameters": plan.parameters["model"],
        "tuner": plan.parameters["tuner"],
        "code": plan.maker,
    }


def pusher_config(releases: str) -> dict[str, Any]:
    """What the pusher is told: the folder of releases."""
    return {"releases": releases}


def lineage_tags(plan: Plan) -> dict[str, str]:
    """What leads from a model version back to its making."""
    return {
        "pedalflow.commit": plan.commit,
        "pedalflow.dirty": str(plan.dirty).lower(),
        "pedalflow.code": plan.code,
        "pedalflow.until_span": str(plan.until_span),
        "pedalflow.spans": as_text({str(span.used.number): span.used.md5 for span in plan.spans}),
        "pedalflow.plan": plan.key,
    }


def as_text(content: Mapping[str, Any]) -> str:
    """JSON as it stands in an execution property: the same content, the same text."""
    return json.dumps(content, sort_keys=True)
