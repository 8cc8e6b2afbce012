"""The options of every subcommand, declared once: the front door shows and checks them, the runtime's module reads them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from pedalflow.command import table

ROOT = Path(__file__).resolve().parents[2]


def span_number(text: str) -> int:
    """A span's number, 1 or more; argparse turns the ValueError's sentence into a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span number; spans are numbered 1, 2, 3, …")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2012-02-01") from error


def _folder(text: str) -> Path:
    return Path(text).expanduser().resolve()


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every subcommand understands, before its name and after it."""
    parser.add_argument(
        "--workspace",
        type=_folder,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="folder with params.yaml, data/ and state/ (else $PEDALFLOW_WORKSPACE, else the repository)",
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show everything: logs and warnings of all libraries, and tracebacks",
    )
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON, for scripts"
    )


def _data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show spans, rows, hashes and their state", allow_abbrev=False)
    arrive = actions.add_parser(
        "arrive", help="check a new batch and take it in as a span", allow_abbrev=False
    )
    arrive.add_argument("file", type=Path, metavar="FILE", help="CSV with the columns of UCI's hour.csv")
    arrive.add_argument(
        "--span", type=span_number, metavar="N", help="number it must get (default: the next one)"
    )
    prepare = actions.add_parser(
        "prepare", help="cut spans out of the raw archive that ships with the project", allow_abbrev=False
    )
    prepare.add_argument(
        "--until-span", type=span_number, metavar="N", help="last span to cut (default: all)"
    )
    quarantine = actions.add_parser(
        "quarantine", help="show refused files and why they were refused", allow_abbrev=False
    )
    for action in (listing, arrive, prepare, quarantine):
        add_common(action)


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="train on spans 1 to N (default: all that have arrived)",
    )
    parser.add_argument(
        "--take-in",
        action="append",
        type=_folder,
        default=[],
        metavar="FILE",
        help="let this file arrive first, as `data arrive` does; may be given several times",
    )
    parser.add_argument(
        "--no-promote", action="store_true", help="register as challenger; leave the champion as it is"
    )
    parser.add_argument(
        "--accept-refusal",
        action="store_true",
        help="exit 0 though a gate refused the model: for experiments",
    )
    parser.add_argument(
        "--tune", action="store_true", help="search hyperparameters first and keep the best in params.yaml"
    )


def _loop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick",
        action="store_true",
        help="two months and a small network instead of a year: the whole story in under two minutes",
    )
    parser.add_argument(
        "--speed",
        type=_rate,
        metavar="N",
        help="replay at most N hours of the data a second (default: as fast as it goes)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=9000,
        metavar="N",
        help="first port of the servers' block of forty; the triggers listen 100 above it (default: 9000)",
    )
    parser.add_argument(
        "--until-span",
        type=span_number,
        metavar="N",
        help="without the triggers: spans up to N arrive, the model retrains once and serves the month after them",
    )
    parser.add_argument(
        "--no-serve",
        action="store_true",
        help="without triggers and servers: end with that training (--until-span is 4 unless given)",
    )


def _promote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("release", metavar="RELEASE", help="name of a release that is registered, r-…")


def _compile(parser: argparse.ArgumentParser) -> None:
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
        type=_nowhere_or_events_address,
        metavar="URL",
        help="where a run says that it is over, such as http://triggers.pedalflow.svc.cluster.local/events/cloudevents "
        "(default, and if empty: nowhere)",
    )
    parser.add_argument(
        "--events-token-file",
        metavar="FILE",
        help="file in the run's container with the token for it (default: /var/run/secrets/pedalflow/cloudevents_token)",
    )


def _rehearse(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `pedalflow compile` wrote")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; may be given several times",
    )
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
        type=_folder,
        metavar="FILE",
        help="file with the bearer token, read again for every request (else $PEDALFLOW_KFP_TOKEN_FILE)",
    )
    parser.add_argument(
        "--ca-file",
        type=_folder,
        metavar="FILE",
        help="certificates that the server's is checked with (else $PEDALFLOW_KFP_CA_FILE, else the usual ones)",
    )
    parser.add_argument(
        "--pipeline",
        default="pedalflow",
        metavar="NAME",
        help="name of the pipeline on the server (default: pedalflow)",
    )


def _deploy(parser: argparse.ArgumentParser) -> None:
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


def _submit(parser: argparse.ArgumentParser) -> None:
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
        type=_folder,
        metavar="FILE",
        help="write the arguments there as JSON and start nothing",
    )
    parser.add_argument(
        "--timeout-s", type=_seconds, metavar="S", help="wait no longer than S seconds; the run goes on"
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
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the pipeline; may be given several times",
    )
    parser.add_argument("--reason", type=_reason, metavar="TEXT", help="why, in a sentence")
    parser.add_argument(
        "--registry-uri",
        metavar="URI",
        help="MLflow as this machine reaches it, to ask for the champion (default: params.yaml, else the version's own)",
    )


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.JSON", help="what `pedalflow --json train` printed")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("metrics"),
        metavar="DIR",
        help="where the files go (default: metrics)",
    )


def _port(text: str) -> int:
    """A port that a block of forty fits above; argparse turns the error into a usage error."""
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 1024 and 65000")
    return int(text)


def _positive(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _rate(text: str) -> float:
    """A number above 0."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return rate


def _release(parser: argparse.ArgumentParser) -> None:
    """The release that a serving command works with."""
    parser.add_argument(
        "--release",
        type=_folder,
        metavar="PATH",
        help="a release's folder, or a file that points to one (default: the workspace's champion)",
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    _release(parser)
    parser.add_argument(
        "--port",
        type=_port,
        default=9000,
        metavar="N",
        help="first port of the block of forty (default: 9000)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="processes of the predictor (default: 1)"
    )
    parser.add_argument(
        "--private-fields",
        default="",
        metavar="A,B",
        help="fields of a request that are written to no log and collected by nobody",
    )
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S", help="stop after S seconds (default: serve until stopped)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        choices=("explainer", "outliers", "events"),
        help="leave this part out; may be given several times",
    )
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=("debug", "info", "warning", "error"),
        help="what the logs hold",
    )

    parser.add_argument(
        "--canary",
        action="store_true",
        help="a second predictor stands ready, to which `pedalflow rollout` gives a release on trial",
    )
    parser.add_argument(
        "--broker",
        type=_events_address,
        metavar="URL",
        help="post the detectors' events there, such as the triggers service (default: they are kept for /events)",
    )
    parser.add_argument(
        "--broker-token-file",
        type=_folder,
        metavar="FILE",
        help="file with the bearer token that the broker wants; read again for every event",
    )


def _events_address(text: str) -> str:
    """An address without credentials, which every user of the machine could read in the list of processes."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        right = False
    if not right or "@" in parts.netloc:
        raise argparse.ArgumentTypeError(
            "it is no address such as http://127.0.0.1:9100/events/cloudevents, without a user or password"
        )
    return text


def _nowhere_or_events_address(text: str) -> str:
    """The same, or an empty text."""
    return _events_address(text) if text else ""


def _percent(text: str) -> float:
    """A share of the traffic that leaves some for the champion."""
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 1 <= percent <= 99:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 1 to 99 percent")
    return percent


def _rollout(parser: argparse.ArgumentParser) -> None:
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
        type=_positive,
        default=72,
        metavar="N",
        help="labelled rows that each side needs for a verdict (default: 72)",
    )
    parser.add_argument(
        "--patience-s",
        type=_seconds,
        default=1800.0,
        metavar="S",
        help="roll back if they have not come after S seconds (default: 1800)",
    )
    _rollout_on_a_cluster(parser)


ROLLOUT_ACTIONS = ("whole", "start", "step", "promote", "abort", "status")


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
        "--hold-s", type=_seconds, metavar="S", help="seconds that each share is held at least (default: 300)"
    )
    group.add_argument(
        "--available-s",
        type=_seconds,
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


def _replay(parser: argparse.ArgumentParser) -> None:
    _release(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--span", type=span_number, metavar="N", help="send a span that has arrived")
    source.add_argument(
        "--file", type=Path, metavar="FILE", help="send a CSV with the features and the label"
    )
    parser.add_argument("--title", metavar="TEXT", help="what these hours are, for the report")
    parser.add_argument(
        "--stuck",
        metavar="COLUMN",
        help="send the last whole window with this number stuck, to see what the detectors say",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=9500,
        metavar="N",
        help="first port for the servers it starts (default: 9500)",
    )
    parser.add_argument("--into", type=Path, metavar="FILE", help="write everything that came back as JSON")


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", type=Path, required=True, metavar="FILE", help=".csv or .parquet, with a header"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    _release(parser)
    parser.add_argument(
        "--batch-rows", type=_positive, default=8192, metavar="N", help="rows at a time (default: 8192)"
    )
    parser.add_argument(
        "--on-error",
        choices=("refuse", "skip"),
        default="refuse",
        help="a bad row stops the command, or goes to OUTPUT.refused.csv (default: refuse)",
    )
    parser.add_argument("--reasons", action="store_true", help="add why a row is an outlier")


def _wheel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the wheel goes")
    _release(parser)
    parser.add_argument("--name", metavar="NAME", help="name of the package (default: after the use case)")


def _detectors(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print what the release's detectors hold", allow_abbrev=False)
    export = actions.add_parser("export", help="write alibi-detect's own saved form", allow_abbrev=False)
    export.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the detectors go")
    export.add_argument(
        "--date",
        metavar="YYYY-MM-DD",
        help="the day around which the season lies (default: the newest in training)",
    )
    for action in (show, export):
        _release(action)
        add_common(action)


def _collected(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help=".csv or .parquet: may retrain"
    )
    parser.add_argument("--kept-out", type=Path, metavar="FILE", help="the rows that may not, and why")
    parser.add_argument(
        "--arrival",
        action="store_true",
        help="write what `data arrive` takes: features and label, in order of time, an hour once",
    )
    for name, which in (("--first", "first"), ("--last", "last")):
        parser.add_argument(
            name, type=_day, metavar="YYYY-MM-DD", help=f"with --arrival: the {which} day of it"
        )
    _release(parser)
    parser.add_argument(
        "--state",
        type=_folder,
        metavar="DIR",
        help="state of the event services, with collected/ in it (default: the workspace's)",
    )
    parser.add_argument(
        "--log", type=_folder, metavar="DIR", help="request log of a predictor that keeps its own"
    )


def _listening_port(text: str) -> int:
    """A port to listen on, 0 for a free one; argparse turns the error into a usage error."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 0 and 65535")
    return int(text)


def _reason(text: str) -> str:
    """A reason that says something."""
    if not text.strip() or len(text) > 500:
        raise argparse.ArgumentTypeError("a reason has 1 to 500 characters")
    return text


def _triggers(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="run the service until it is stopped", allow_abbrev=False)
    serve.add_argument(
        "--port",
        type=_listening_port,
        metavar="N",
        help="port to listen on (default: 9100; 0 takes a free one)",
    )
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    serve.add_argument(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="what is logged to the standard error (default: info)",
    )
    fire = actions.add_parser(
        "fire", help="ask the running service for a retraining, and show what it decides", allow_abbrev=False
    )
    fire.add_argument("--reason", type=_reason, required=True, metavar="TEXT", help="why, in a sentence")
    fire.add_argument("--wait", action="store_true", help="wait until the run is over, and show how it goes")
    fire.add_argument(
        "--address", metavar="URL", help="a service elsewhere (default: the one that runs in the workspace)"
    )
    fire.add_argument(
        "--token-file",
        type=_folder,
        metavar="FILE",
        help="file with the token of people (default: the workspace's)",
    )
    policy = actions.add_parser(
        "policy", help="print the policy with the numbers that are in force", allow_abbrev=False
    )
    for action in (serve, policy):
        action.add_argument(
            "--settings",
            type=_folder,
            metavar="FILE",
            help="YAML file with settings, below the environment's",
        )
    for action in (serve, fire, policy):
        add_common(action)


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        metavar="ID",
        help="a request id, a run (q-…), an event (e-…), a release (r-…), a training (span-04-…), a span (span-04), a commit; "
        "or the beginning of one",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="database of events, as SQLAlchemy names it (default: $PEDALFLOW_TRIGGERS_DATABASE, else the workspace's)",
    )


def _notebook(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=_port,
        default=8888,
        metavar="N",
        help="port of JupyterLab, or the next free one (default: 8888)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="replace your copies by the notebooks as they come with the project",
    )


def _nothing(parser: argparse.ArgumentParser) -> None:
    """For subcommands that have no options of their own."""


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "data": _data,
    "train": _train,
    "promote": _promote,
    "loop": _loop,
    "compile": _compile,
    "rehearse": _rehearse,
    "deploy": _deploy,
    "submit": _submit,
    "evaluate": _evaluate,
    "serve": _serve,
    "rollout": _rollout,
    "replay": _replay,
    "predict": _predict,
    "wheel": _wheel,
    "detectors": _detectors,
    "collected": _collected,
    "triggers": _triggers,
    "trace": _trace,
    "notebook": _notebook,
    "status": _nothing,
    "doctor": _nothing,
}


def parser(name: str) -> argparse.ArgumentParser:
    """The parser of one subcommand; KeyError if there is none of this name."""
    entry = table.command(name)
    made = argparse.ArgumentParser(
        prog=f"pedalflow {name}",
        description=entry.description,
        epilog=f"example: {entry.example}",
        allow_abbrev=False,
    )
    add_common(made)
    _OPTIONS[name](made)
    return made


def parse(name: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the options of one subcommand. `workspace` (a Path), `verbose` and `json` are always there.

    A usage error prints what is wrong and exits with 2, as argparse does.
    """
    arguments = parser(name).parse_args(argv)
    for option, default in (("workspace", ROOT), ("verbose", False), ("json", False)):
        if not hasattr(arguments, option):
            setattr(arguments, option, default)
    return arguments
