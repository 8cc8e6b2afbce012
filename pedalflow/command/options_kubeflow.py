"""The options of the commands for Kubeflow: compile, rehearse, deploy, submit."""

from __future__ import annotations

import argparse
from pathlib import Path

from pedalflow.command.option_values import folder, nowhere_or_events_address, reason, seconds, span_number


def compile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("build/pedalflow.yaml"),
        metavar="FILE",
        help="where the compiled pipeline goes (default: build/pedalflow.yaml)",
    )
    parser.add_argument(
        "--image",
        default=argparse.SUPPRESS,
        metavar="NAME@sha256:DIGEST",
        help="image of the tasks, pinned by its digest, or the file images.json of what was pushed "
        "(default: one that stands for an image that was not built yet)",
    )
    parser.add_argument(
        "--storage",
        metavar="URI",
        help="folder of the object store with spans and releases (default: minio://mlpipeline/pedalflow)",
    )
    parser.add_argument(
        "--pipeline-root",
        metavar="URI",
        help="where a run's artifacts go unless it says otherwise (default: minio://mlpipeline/v2/artifacts)",
    )
    parser.add_argument(
        "--registry-uri",
        metavar="URI",
        help="MLflow as the cluster reaches it (default: the one in params.yaml, or the cluster's own, in the namespace pedalflow)",
    )
    parser.add_argument(
        "--claim",
        metavar="NAME",
        help="volume claim that releases are pushed to (default: pedalflow-releases)",
    )
    parser.add_argument(
        "--events-url",
        type=nowhere_or_events_address,
        metavar="URL",
        help="where a run says that it is over, such as http://triggers.pedalflow.svc.cluster.local/events/cloudevents "
        "(default, and if empty: nowhere)",
    )
    parser.add_argument(
        "--events-token-file",
        metavar="FILE",
        help="file in the run's container with the token for it (default: /var/run/secrets/pedalflow/cloudevents_token)",
    )


def rehearse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `pedalflow compile` wrote")
    _param(parser)
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="take the workspace's spans 1 to N (default: all that have arrived)",
    )
    parser.add_argument(
        "--champion",
        metavar="RELEASE",
        help="release of the workspace that the model is compared with (default: none, as in a first run)",
    )
    parser.add_argument(
        "--cold", action="store_true", help="start a new interpreter for each task, as a pod would"
    )


def _param(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; may be given several times",
    )


def _kubeflow(parser: argparse.ArgumentParser) -> None:
    """How Kubeflow Pipelines is reached, and which pipeline is meant."""
    parser.add_argument(
        "--host",
        metavar="URL",
        help="address of Kubeflow Pipelines' API (else $PEDALFLOW_KFP_HOST; in a notebook's pod that of its cluster)",
    )
    parser.add_argument(
        "--namespace",
        metavar="NS",
        help="profile namespace of a Kubeflow with several users (else $PEDALFLOW_KFP_NAMESPACE)",
    )
    parser.add_argument(
        "--token-file",
        type=folder,
        metavar="FILE",
        help="file with the bearer token, read again for every request (else $PEDALFLOW_KFP_TOKEN_FILE)",
    )
    parser.add_argument(
        "--ca-file",
        type=folder,
        metavar="FILE",
        help="certificates that the server's is checked with (else $PEDALFLOW_KFP_CA_FILE, else the usual ones)",
    )
    parser.add_argument(
        "--pipeline",
        default="pedalflow",
        metavar="NAME",
        help="name of the pipeline on the server (default: pedalflow)",
    )


def deploy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=Path("build/pedalflow.yaml"),
        metavar="FILE",
        help="what `pedalflow compile` wrote (default: build/pedalflow.yaml)",
    )
    _kubeflow(parser)
    parser.add_argument(
        "--allow-dirty", action="store_true", help="deploy though the code differed from its commit"
    )


def submit(parser: argparse.ArgumentParser) -> None:
    _kubeflow(parser)
    _arguments_of_a_run(parser)
    parser.add_argument(
        "--experiment",
        default="retraining",
        metavar="NAME",
        help="experiment that the run belongs to; made if it is missing (default: retraining)",
    )
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="service account of Kubernetes that the run's pods use (else $PEDALFLOW_KFP_SERVICE_ACCOUNT, else the server's own)",
    )
    parser.add_argument(
        "--pipeline-root",
        metavar="URI",
        help="where the run's artifacts go (default: the version's own, as compiled)",
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--idempotency-key",
        metavar="KEY",
        help="the same key is the same run (default: a digest of version and arguments)",
    )
    key.add_argument(
        "--again", action="store_true", help="start another run though there is one of this kind"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--wait", action="store_true", help="follow the run to its end, and exit as it ended")
    what.add_argument(
        "--recurring",
        metavar="CRON",
        help="start such a run by this schedule: five fields as in crontab, or six with the second before them",
    )
    what.add_argument(
        "--arguments-file",
        type=folder,
        metavar="FILE",
        help="write the arguments there as JSON and start nothing",
    )
    parser.add_argument(
        "--timeout-s", type=seconds, metavar="S", help="wait no longer than S seconds; the run goes on"
    )


def _arguments_of_a_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version",
        default="newest",
        metavar="VERSION",
        help="name or id of the pipeline's version (default: newest)",
    )
    parser.add_argument(
        "--as-deployed",
        action="store_true",
        help="run the version though this checkout holds other code: for data, drift and schedules, where the checkout may be ahead of "
        "what is deployed, and for going back to an older version",
    )
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="train on the workspace's spans 1 to N (default: all that have arrived)",
    )
    parser.add_argument(
        "--spans-uri", metavar="URI", help="folder of the spans' files (default: the version's own)"
    )
    _param(parser)
    parser.add_argument("--reason", type=reason, metavar="TEXT", help="why, in a sentence")
    parser.add_argument(
        "--registry-uri",
        metavar="URI",
        help="MLflow as this machine reaches it, to ask for the champion (default: params.yaml, else the version's own)",
    )
