"""What `pedalflow submit` does."""

from __future__ import annotations

import argparse
import json
import math
import os
import secrets
import sys
from collections.abc import Mapping
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import PedalflowError, SettingsError
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from pipelines.kubeflow.api import Api, Json
from pipelines.kubeflow.api_calls import Kubeflow, Version
from pipelines.kubeflow.api_connection import account_of, connection_of
from pipelines.kubeflow.places import check_pipeline_root
from pipelines.kubeflow.submit import Order, Started, recur, run_name, six_fields, start
from pipelines.kubeflow.submit_arguments import (
    Wish,
    commit_of,
    deployed_version,
    expected_files,
    image_argument,
    key_of,
    resolve,
    write_arguments,
)
from pipelines.kubeflow.submit_wait import failure, follow, state

RECURRING = "recurring"  # the key of a recurring run that was given none


def main(argv: list[str]) -> int:
    """Run `pedalflow submit` with the given arguments; returns the exit code."""
    asked = options.parse("submit", argv)
    silence(verbose=asked.verbose)
    _check(asked)
    progress = Progress(sys.stderr)
    server = Kubeflow(Api(connection_of(vars(asked), os.environ)))
    with progress.step("resolving what the run is made of"):
        version = deployed_version(server, asked.pipeline, asked.version)
        arguments = resolve(version, Workspace(asked.workspace), _wish(asked))
    if asked.as_deployed:
        progress.say(
            f"version {version.name} runs as it was deployed, with the code of commit {commit_of(version)}"
        )
    if asked.arguments_file:
        write_arguments(arguments, asked.arguments_file)
        _show(asked, {"arguments_file": str(asked.arguments_file), "arguments": arguments}, version)
        return 0
    if asked.recurring:
        _recur(server, asked, version, arguments)
        return 0
    return _start(server, asked, version, arguments, progress)


def _check(asked: argparse.Namespace) -> None:
    """Raise SettingsError for options that do not go together."""
    if asked.timeout_s and not asked.wait:
        raise SettingsError("--timeout-s says how long to wait, so it needs --wait")
    if asked.pipeline_root:
        check_pipeline_root(asked.pipeline_root)
    if asked.pipeline_root and asked.arguments_file:
        raise SettingsError(
            "--pipeline-root belongs to a run and is no argument, so --arguments-file cannot hold it; leave it out"
        )
    if asked.again and (asked.recurring or asked.arguments_file):
        raise SettingsError(
            "--again starts another run, but --recurring and --arguments-file start none; leave it out"
        )


def _wish(asked: argparse.Namespace) -> Wish:
    return Wish(
        asked.until_span,
        tuple(asked.param),
        asked.spans_uri,
        asked.reason or "",
        asked.registry_uri,
        asked.as_deployed,
    )


def _order(asked: argparse.Namespace, key: str, version: Version, arguments: Mapping[str, Any]) -> Order:
    account = account_of(vars(asked), os.environ)
    return Order(
        run_name(asked.pipeline, key),
        asked.experiment,
        version,
        {**image_argument(version), **arguments},
        account,
        asked.pipeline_root or "",
    )


def _start(
    server: Kubeflow,
    asked: argparse.Namespace,
    version: Version,
    arguments: Mapping[str, Any],
    progress: Progress,
) -> int:
    key = asked.idempotency_key or key_of(version, arguments, asked.pipeline_root or "")
    if asked.again:
        key = f"{key}-{secrets.token_hex(4)}"
    order = _order(asked, key, version, {"idempotency_key": key, **arguments})
    with progress.step(f"starting the run {order.name}"):
        started = start(server, order)
    if asked.wait:
        _say_started(server, started, progress)
        return _follow(server, asked, version, order, started, progress)
    _show(asked, _facts(server, order, started), version)
    return 0


def _follow(
    server: Kubeflow,
    asked: argparse.Namespace,
    version: Version,
    order: Order,
    started: Started,
    progress: Progress,
) -> int:
    page = server.page_of(started.run["run_id"])
    try:
        seen = follow(server, started.run, progress.say, asked.timeout_s or math.inf)
    except (KeyboardInterrupt, PedalflowError):
        progress.say(f"\nnobody waits any more, but the run goes on: {page}")
        raise
    _show(asked, _facts(server, order, Started(seen, started.made)), version)
    if error := failure(seen, page):
        raise error
    return 0


def _recur(
    server: Kubeflow, asked: argparse.Namespace, version: Version, arguments: Mapping[str, Any]
) -> None:
    cron = six_fields(asked.recurring)
    order = _order(asked, asked.idempotency_key or RECURRING, version, arguments)
    started = recur(server, order, cron)
    facts = {
        "recurring_run": started.run["recurring_run_id"],
        "name": order.name,
        "made": started.made,
        "cron": cron,
        "arguments": dict(arguments),
    }
    _show(asked, facts, version)


def _facts(server: Kubeflow, order: Order, started: Started) -> Json:
    run = started.run
    return {
        "run": run["run_id"],
        "name": order.name,
        "made": started.made,
        "state": state(run),
        "page": server.page_of(run["run_id"]),
        "arguments": (run.get("runtime_config") or {}).get("parameters") or dict(order.arguments),
    }


def _say_started(server: Kubeflow, started: Started, progress: Progress) -> None:
    run = started.run["run_id"]
    there = "is started" if started.made else "is there already; another one starts with --again"
    progress.say(f"the run {run} {there}: {server.page_of(run)}")


def _show(asked: argparse.Namespace, facts: Json, version: Version) -> None:
    if asked.json:
        about = {"pipeline": asked.pipeline, "version": version.name, "version_id": version.version_id}
        print(json.dumps({**about, **facts}, indent=1))
        return
    print(_sentence(facts, version))
    print("It reads:" if "run" in facts else "A run with these arguments reads:")
    for line in expected_files(facts["arguments"], version):
        print(f"  {line}")


def _sentence(facts: Json, version: Version) -> str:
    if "arguments_file" in facts:
        return (
            f"{facts['arguments_file']} holds the arguments for version {version.name}; nothing was started"
        )
    there = "is there now" if facts["made"] else "is there already"
    if "recurring_run" in facts:
        return f"recurring run {facts['name']} of version {version.name} {there}: second minute hour day month weekday = {facts['cron']}"
    said = f"run {facts['run']} ({facts['name']}) of version {version.name} {there}, {facts['state'].lower()}: {facts['page']}"
    return said if facts["made"] else f"{said}\nAnother one with the same arguments starts with --again."


if __name__ == "__main__":
    sys.exit(outermost(main))
