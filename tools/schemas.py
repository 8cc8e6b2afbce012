"""Fetches the vendors' CRDs, at the versions that docs/cluster.md supports, and derives JSON schemas from them: `make schemas`.

    .venv/delivery/bin/python -m tools.schemas [--out FOLDER] [--from FOLDER]

`--from` takes CRDs that lie in a folder (files named like the schemas, but .yaml) instead of fetching them. Objects are closed, so that a
misspelt field fails as it does on an API server.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml

from tools.manifests import MADE_SCHEMAS

_TIMEOUT_S = 30.0
_ANY_NUMBER_OR_TEXT = {"anyOf": [{"type": "integer"}, {"type": "string"}]}


@dataclass(frozen=True)
class Source:
    """Where the CRD of a schema is: project, tag, path, and the version of the API that we write."""

    schema: str
    project: str
    tag: str
    path: str
    version: str

    @property
    def url(self) -> str:
        return f"https://raw.githubusercontent.com/{self.project}/{self.tag}/{self.path}"


_SELDON = "operator/config/crd/bases/machinelearning.seldon.io_seldondeployments.yaml"
_PROMETHEUS = "example/prometheus-operator-crd/monitoring.coreos.com_{}.yaml"
SOURCES = (
    Source("SeldonDeployment", "SeldonIO/seldon-core", "v1.17.1", _SELDON, "v1"),
    Source("Broker", "knative/eventing", "knative-v1.19.0", "config/core/resources/broker.yaml", "v1"),
    Source("Trigger", "knative/eventing", "knative-v1.19.0", "config/core/resources/trigger.yaml", "v1"),
    Source(
        "KnativeService", "knative/serving", "knative-v1.19.0", "config/core/300-resources/service.yaml", "v1"
    ),
    *(
        Source(
            kind,
            "prometheus-operator/prometheus-operator",
            "v0.83.0",
            _PROMETHEUS.format(kind.lower() + "s"),
            "v1",
        )
        for kind in ("PrometheusRule", "ServiceMonitor", "PodMonitor")
    ),
    Source(
        "ScaledObject", "kedacore/keda", "v2.17.0", "config/crd/bases/keda.sh_scaledobjects.yaml", "v1alpha1"
    ),
)


class NotFetched(Exception):
    """A CRD cannot be had, or is not what it should be."""


def derived(crd: Any, version: str) -> Any:
    """The JSON schema of one version of a custom kind. Raises NotFetched where the CRD does not have it."""
    for known in (crd or {}).get("spec", {}).get("versions", []):
        if known.get("name") == version:
            closed = _closed(known["schema"]["openAPIV3Schema"])
            closed["properties"] |= {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
            }
            return {
                "$schema": "http://json-schema.org/draft-07/schema#",
                **closed,
                "additionalProperties": False,
            }
    raise NotFetched(f"the CRD has no version {version}")


def _closed(schema: Any) -> Any:
    """The schema with objects that take no other fields than theirs, where Kubernetes does not keep what it does not know."""
    if isinstance(schema, list):
        return [_closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return dict(_ANY_NUMBER_OR_TEXT)
    made = {key: _closed(value) for key, value in schema.items() if key != "description"}
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if "properties" in schema:  # where a field may be called description
        made["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
    return made


def fetched(source: Source, folder: Path | None) -> Any:
    """The CRD of a source, from the vendor or from a folder. Raises NotFetched."""
    try:
        if folder:
            text = (folder / f"{source.schema}.yaml").read_text(encoding="utf-8")
        else:
            with urllib.request.urlopen(source.url, timeout=_TIMEOUT_S) as reply:
                text = reply.read().decode()
        return yaml.safe_load(text)
    except (OSError, URLError, yaml.YAMLError) as error:
        raise NotFetched(
            f"{source.schema}: {folder or source.url} has no CRD that can be read ({error})"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="schemas", description="Make the schemas of custom kinds.", allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, default=MADE_SCHEMAS, help="where the schemas go")
    parser.add_argument("--from", type=Path, dest="folder", help="folder with CRDs, instead of fetching them")
    options = parser.parse_args(arguments)
    try:
        made = {source.schema: derived(fetched(source, options.folder), source.version) for source in SOURCES}
    except NotFetched as error:
        print(f"schemas: {error}; nothing was written", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    for name, schema in made.items():
        (options.out / f"{name}.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")
    print(f"{len(made)} schemas in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
