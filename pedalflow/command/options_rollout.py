"""The options of `pedalflow rollout`, here and on a cluster."""

from __future__ import annotations

import argparse

from pedalflow.command.option_values import positive, seconds

ROLLOUT_ACTIONS = ("whole", "start", "step", "promote", "abort", "status")


def rollout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "release",
        nargs="?",
        metavar="RELEASE",
        help="name of a release of the workspace, r-…, or its folder; on a cluster its name",
    )
    parser.add_argument(
        "--percent",
        type=_percent,
        default=20.0,
        metavar="P",
        help="share of the requests that it answers meanwhile (default: 20)",
    )
    parser.add_argument(
        "--canary-rows",
        type=positive,
        default=72,
        metavar="N",
        help="labelled rows that each side needs for a verdict (default: 72)",
    )
    parser.add_argument(
        "--patience-s",
        type=seconds,
        default=1800.0,
        metavar="S",
        help="roll back if they have not come after S seconds (default: 1800)",
    )
    _rollout_on_a_cluster(parser)


def _rollout_on_a_cluster(parser: argparse.ArgumentParser) -> None:
    """Without a default, so that one which is given without --cluster can be told; `serving.cluster.command` has the defaults."""
    group = parser.add_argument_group("on a cluster")
    group.add_argument(
        "--cluster",
        nargs="?",
        const="whole",
        type=_rollout_action,
        metavar="ACTION",
        help="on the SeldonDeployment of a cluster: whole (default), or a part of it: start, step, promote, abort, status",
    )
    for option, metavar, help_text in (
        ("--namespace", "NAME", "namespace of the SeldonDeployment (default: pedalflow-serving)"),
        ("--context", "NAME", "context of the kubeconfig (default: the one that is in use; in a pod its own cluster)"),
        ("--prometheus", "URL", "Prometheus, as this machine reaches it (default: the operator's, inside the cluster)"),
        ("--release-uri", "URI", "address that the pods fetch the release from (default: beside the champion's)"),
        ("--checksum", "SHA256", "checksum of the release (default: that of the workspace's release)"),
    ):  # fmt: skip
        group.add_argument(option, metavar=metavar, help=help_text)
    group.add_argument(
        "--steps",
        type=_shares,
        metavar="P,P,…",
        help="shares of the requests in percent, one after the other (default: 10,25,50)",
    )
    group.add_argument(
        "--hold-s", type=seconds, metavar="S", help="seconds that each share is held at least (default: 300)"
    )
    group.add_argument(
        "--available-s",
        type=seconds,
        metavar="S",
        help="seconds within which new pods have to be ready (default: 600)",
    )
    group.add_argument(
        "--no-registry",
        action="store_true",
        default=None,
        help="leave the registry's champion as it is; without it the workspace's registry is told of a promotion",
    )


def _rollout_action(text: str) -> str:
    if text not in ROLLOUT_ACTIONS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is none of {', '.join(ROLLOUT_ACTIONS)}; a release stands before --cluster"
        )
    return text


def _percent(text: str) -> float:
    """A share of the traffic that leaves some for the champion."""
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 1 <= percent <= 99:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 1 to 99 percent")
    return percent


def _shares(text: str) -> tuple[int, ...]:
    """Whole percents that grow, such as 10,25,50."""
    parts = text.split(",")
    shares = tuple(int(part) for part in parts if part.isdecimal())
    grow = all(before < after for before, after in zip((0, *shares), (*shares, 100)))
    if len(shares) != len(parts) or not grow:
        raise argparse.ArgumentTypeError(
            f"{text!r} are no shares, which are whole percents between 1 and 99 that grow, such as 10,25,50"
        )
    return shares
