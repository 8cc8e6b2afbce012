"""What `pedalflow rollout --cluster` does: reads the options and the object, carries out what was asked for, and says what it came to."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from pedalflow.errors import RunFailed, SettingsError
from pedalflow.release import open_release
from pedalflow.workspace import Workspace
from serving.cluster.api import Cluster, Seen, connect
from serving.cluster.deployment import ReleaseAt, main_of, release_of
from serving.cluster.pace import Pace
from serving.cluster.prometheus import Prometheus
from serving.cluster.rolling import ClusterTrial, aborted, rolled_out, settled
from serving.cluster.status import as_json, as_text, status_of
from serving.cluster.terms import Action, Registry, Terms
from serving.cluster.under_way import under_way
from serving.rolling_out import Promote
from serving.rollout import Rule
from serving.rollout_record import FAILED, keep

DEPLOYMENT = "pedalflow"
NAMESPACE = "pedalflow-serving"
PROMETHEUS = "http://prometheus-operated.monitoring.svc.cluster.local:9090"
STEPS = (10, 25, 50)
HOLD_S, AVAILABLE_S = 300.0, 600.0

Say = Callable[[str], None]


def rolled_out_on_cluster(
    arguments: argparse.Namespace,
    workspace: Workspace,
    rule: Rule,
    promote: Promote,
    say: Say,
    pace: Pace,
) -> int:
    """Carry out `--cluster ACTION`; returns the exit code."""
    action = Action(arguments.cluster)
    cluster = Cluster(connect(arguments.context), arguments.namespace or NAMESPACE, DEPLOYMENT, pace)
    if action is Action.STATUS:
        return _print_status(cluster, arguments.json)
    if action is Action.ABORT:
        return _abort(cluster, _terms(arguments, rule, Registry.UNKNOWN), arguments.json, say)
    candidate = _candidate(cluster.look(), arguments, workspace)
    terms = _terms(arguments, rule, _registry(arguments, workspace, candidate.release))
    trial = ClusterTrial(
        cluster=cluster,
        prometheus=Prometheus(arguments.prometheus or PROMETHEUS),
        candidate=candidate,
        steps=arguments.steps or STEPS,
        terms=terms,
        register=partial(promote, workspace),
        say=say,
    )
    return _roll_out(trial, workspace, arguments.json)


def _roll_out(trial: ClusterTrial, workspace: Workspace, as_json_: bool) -> int:
    if trial.terms.registry is Registry.UNKNOWN and trial.terms.action in (Action.WHOLE, Action.START):
        trial.say(
            f"{workspace.root} has no release {trial.candidate.release}, so no registry is told of a promotion"
        )
    record = rolled_out(trial)
    if record is None:
        return _print_status(trial.cluster, as_json_)
    keep(workspace.rollouts, record)
    settled(trial.cluster, trial.terms.available_s, trial.say)
    if record.outcome == FAILED:
        raise RunFailed(
            f"{record.release} was not promoted, and everything is as it was before: {record.reason}"
        )
    print(record.to_json() if as_json_ else f"{record.release} is {record.outcome}: {record.reason}")
    return 0


def _abort(cluster: Cluster, terms: Terms, as_json_: bool, say: Say) -> int:
    stopped = aborted(cluster, terms, say)
    settled(cluster, terms.available_s, say)
    if not as_json_:
        print(f"the rollout of {stopped} is stopped" if stopped else "no rollout is under way")
    return _print_status(cluster, as_json_)


def _print_status(cluster: Cluster, as_json_: bool) -> int:
    status = status_of(cluster.look())
    print(as_json(status) if as_json_ else as_text(status))
    return 0


def _terms(arguments: argparse.Namespace, rule: Rule, registry: Registry) -> Terms:
    return Terms(
        rule=rule,
        hold_s=arguments.hold_s or HOLD_S,
        available_s=arguments.available_s or AVAILABLE_S,
        registry=registry,
        action=Action(arguments.cluster),
    )


def _registry(arguments: argparse.Namespace, workspace: Workspace, release: str) -> Registry:
    if arguments.no_registry:
        return Registry.LEAVE
    return Registry.TELL if (workspace.releases / release).is_dir() else Registry.UNKNOWN


def _candidate(seen: Seen, arguments: argparse.Namespace, workspace: Workspace) -> ReleaseAt:
    """The release on trial: the one that was named, or the one that is under way.

    Raises SettingsError where neither tells, or nobody knows its checksum or address.
    """
    rollout, main = under_way(seen.deployment), release_of(main_of(seen.deployment))
    name = arguments.release or (rollout.candidate.release if rollout else None)
    if name is None:
        raise SettingsError("no rollout is under way; name the release to roll out, such as r-ac5bb310e003")
    for known in (main, *([rollout.candidate] if rollout else [])):
        if known.release == name and not arguments.release_uri:
            return known
    return ReleaseAt(
        name, _checksum(name, arguments.checksum, workspace), arguments.release_uri or _beside(main, name)
    )


def _checksum(name: str, given: str | None, workspace: Workspace) -> str:
    if given is None and not (workspace.releases / name).is_dir():
        raise SettingsError(
            f"there is no release {name} in {workspace.releases}; say its checksum with --checksum"
        )
    checksum = given or open_release(workspace.releases / name, name).checksum
    if len(checksum) != 64 or f"r-{checksum[:12]}" != name:
        raise SettingsError(
            f"{checksum} is not the checksum of {name}, whose name begins it; look at --checksum"
        )
    return checksum


def _beside(main: ReleaseAt, name: str) -> str:
    """The address in the folder that the champion's release lies in, which is named after it."""
    folder, separator, last = main.uri.rstrip("/").rpartition("/")
    if not separator or last != main.release:
        raise SettingsError(
            f"the champion comes from {main.uri}, which does not end with its name, so nobody can tell where {name} lies; "
            "say it with --release-uri"
        )
    return f"{folder}/{name}"
