"""What `pedalflow deploy` does."""

from __future__ import annotations

import json
import os
import sys

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import list_spans
from pipelines.kubeflow.api import Api
from pipelines.kubeflow.api_calls import Kubeflow
from pipelines.kubeflow.api_connection import connection_of
from pipelines.kubeflow.deploy import Candidate, Deployed, candidate, deploy, tags


def main(argv: list[str]) -> int:
    """Run `pedalflow deploy` with the given arguments; returns the exit code."""
    arguments = options.parse("deploy", argv)
    silence(verbose=arguments.verbose)
    read = candidate(arguments.file, allow_dirty=arguments.allow_dirty)
    kept = tags(read, list_spans(Workspace(arguments.workspace)))
    server = Kubeflow(Api(connection_of(vars(arguments), os.environ)))
    with Progress(sys.stderr).step(f"deploying {arguments.file}"):
        deployed = deploy(server, arguments.pipeline, read, kept)
    _show(arguments.pipeline, read, deployed, as_json=arguments.json)
    return 0


def _show(pipeline: str, read: Candidate, deployed: Deployed, *, as_json: bool) -> None:
    version = deployed.version
    if as_json:
        facts = {
            "pipeline": pipeline,
            "pipeline_id": version.pipeline_id,
            "version": version.name,
            "version_id": version.version_id,
            "made": deployed.made,
            "commit": read.commit,
            "images": read.images,
        }
        print(json.dumps(facts, indent=1))
        return
    what = "is there now" if deployed.made else "is there already"
    print(f"version {version.name} of the pipeline {pipeline} {what} (id {version.version_id})")


if __name__ == "__main__":
    sys.exit(outermost(main))
