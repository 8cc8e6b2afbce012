"""What `pedalflow replay` does: serves a release, sends it labelled hours, and shows what came back."""

from __future__ import annotations

import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import ServingFailed
from pedalflow.lock import exclusive
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.replay_record import (
    REPLAY,
    ConceptDay,
    DriftWindow,
    Explanation,
    FeatureDrift,
    ReplayRecord,
    ServedHour,
    to_json,
)
from pedalflow.replay_table import replay_table
from pedalflow.spans import span_name
from pedalflow.workspace import Workspace
from serving import local
from serving.collector import FOLDER
from serving.local import Wish, parts
from serving.pairs import read_pairs
from serving.replay import (
    Answer,
    Hour,
    RestClient,
    Sending,
    Stopwatch,
    predict_over_grpc,
    read_hours,
    sending,
)
from serving.serve_command import READY_WITHIN_S, checked
from serving.served import Served, load_served
from serving.supervisor import supervised

EVENTS_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1


def main(argv: list[str]) -> int:
    """Run `pedalflow replay` with the given arguments; returns the exit code."""
    arguments = options.parse("replay", argv)
    silence(verbose=arguments.verbose)
    workspace = Workspace(arguments.workspace)
    progress = Progress(sys.stderr)
    wish = Wish(
        release=arguments.release or workspace.champion,
        state=workspace.serving / "replay",
        port=arguments.port,
    )
    busy = f"another `pedalflow replay` runs in {workspace.root}; wait for it, or use another workspace"
    with exclusive(workspace.serving / "replay.lock", busy):
        record = replay(wish, arguments, workspace, progress)
    into: Path = arguments.into or workspace.serving / REPLAY
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(to_json(record), encoding="utf-8")
    print(to_json(record) if arguments.json else replay_table(record), end="")
    return 0


def replay(wish: Wish, arguments: Namespace, workspace: Workspace, progress: Progress) -> ReplayRecord:
    """Serve, send everything, wait until the detectors have judged it, and stop the servers again."""
    served = load_served(wish.release)
    file = arguments.file or workspace.spans / span_name(arguments.span)
    hours = read_hours(file, served.schema, served.detectors.layout)
    plan = sending(hours, served.detectors.drift.window_rows, arguments.stuck)
    title = arguments.title or f"The hours of {file.name}."
    with progress.step("checking the release and the ports"):
        checked(wish)
    shutil.rmtree(wish.state, ignore_errors=True)
    with supervised(parts(wish), wish.logs, options.ROOT, progress.say) as running:
        with progress.step("starting the servers"):
            running.wait_until_ready(READY_WITHIN_S)
        record = _sent(wish, served, plan, progress)
    with progress.step("screening what was collected"):
        return replace(_screened(record, wish, served), title=title)


def _sent(wish: Wish, served: Served, plan: Sending, progress: Progress) -> ReplayRecord:
    """What came back. The staged labels come last, so that concept drift is judged on what was not staged."""
    client = RestClient(wish.url(local.EXECUTOR))
    with progress.step(f"sending {len(plan.hours)} hours over REST{plan.said}"):
        answers = [client.predict(hour.record) for hour in plan.hours]
    sample = plan.hours[: served.detectors.drift.window_rows]
    with progress.step(f"sending {len(sample)} of them over gRPC"):
        watch, difference = _over_grpc(wish, sample, answers)
    with progress.step("sending the labels, and waiting for the detectors"):
        labels = _send_labels(client, plan, answers, staged=False)
        _wait_for_labels(client, wish, labels)
        judged = client.get(wish.url(local.EVENTS) + "/drift")
        _wait_for_labels(client, wish, labels + _send_labels(client, plan, answers, staged=True))
    rest = wish.url(local.EXECUTOR)
    return ReplayRecord(
        release=served.release.name,
        title="",
        interfaces=(
            client.predictions.use("REST, predictions", rest),
            client.labels.use("REST, labels", rest),
            watch.use("gRPC, predictions", wish.at(local.PREDICTOR, local.GRPC)),
        ),
        difference=difference,
        hours=tuple(
            _served_hour(served, hour, answer, flag)
            for hour, answer, flag in zip(plan.hours, answers, plan.flags)
            if answer is not None
        ),
        windows=_windows(judged["windows"], plan.staged_window, plan.fault),
        concept=tuple(_concept_day(day) for day in judged["concept"]["days"]),
        explanation=_explanation(client, served, plan.hours, answers),
        kept=0,
        kept_out={},
    )


def _over_grpc(
    wish: Wish, hours: Sequence[Hour], answers: Sequence[Answer | None]
) -> tuple[Stopwatch, float]:
    """How long the answers took, and the greatest relative difference to those over REST."""
    watch = Stopwatch()
    address = wish.at(local.PREDICTOR, local.GRPC)
    found = predict_over_grpc(address, [hour.record for hour in hours], watch)
    pairs = [(other, answer.prediction) for other, answer in zip(found, answers) if answer]
    return watch, max((abs(other - value) / abs(value) for other, value in pairs if value), default=0.0)


def _send_labels(client: RestClient, plan: Sending, answers: Sequence[Answer | None], *, staged: bool) -> int:
    """Returns how many were sent: a request that failed has no prediction to join."""
    rows = zip(plan.hours, answers, plan.flags)
    answered = [(hour, answer) for hour, answer, flag in rows if answer is not None and flag is staged]
    for hour, answer in answered:
        client.feedback(answer.puid, hour.label)
    return len(answered)


def _wait_for_labels(client: RestClient, wish: Wish, labels: int) -> None:
    """Labels are the last events to be sent, and events arrive in order.

    Raises:
        ServingFailed: they did not all arrive.
    """
    deadline = time.monotonic() + EVENTS_WITHIN_S
    while (taken := client.events_taken(wish.url(local.EVENTS), "feedback")) < labels:
        if time.monotonic() > deadline:
            raise ServingFailed(
                f"the event service took in {taken} of {labels} labels within {EVENTS_WITHIN_S:g} s; its log is in {wish.logs}"
            )
        time.sleep(LOOK_EVERY_S)


def _served_hour(served: Served, hour: Hour, answer: Answer, staged: bool) -> ServedHour:
    layout = served.detectors.layout
    day, number = hour.record[layout.date], hour.record[layout.hour]
    return ServedHour(day, number, answer.prediction, hour.label, answer.reasons, staged)


def _windows(found: Sequence[Mapping[str, Any]], staged: int | None, fault: str) -> tuple[DriftWindow, ...]:
    return tuple(
        DriftWindow(
            rows=window["window"]["rows"],
            first=window["window"]["first"],
            last=window["window"]["last"],
            is_drift=bool(window["is_drift"]),
            score=window["score"],
            threshold=window["threshold"],
            season_matched=window["season_matched"],
            reasons=tuple(window["reasons"]),
            features=tuple(
                FeatureDrift(
                    test["name"],
                    test["test"],
                    test["statistic"],
                    test["threshold"],
                    test["score"],
                    test["effect_size"],
                )
                for test in window["features"]
            ),
            staged=fault if index == staged else "",
        )
        for index, window in enumerate(found)
    )


def _concept_day(day: Mapping[str, Any]) -> ConceptDay:
    return ConceptDay(day["day"], day["day_mean"], day["score"], day["threshold"], bool(day["is_drift"]))


def _explanation(
    client: RestClient, served: Served, hours: Sequence[Hour], answers: Sequence[Answer | None]
) -> Explanation | None:
    """Of the hour with the highest prediction."""
    answered = [(answer.prediction, index) for index, answer in enumerate(answers) if answer]
    if not answered:
        return None
    record = hours[max(answered)[1]].record
    reply = client.explain(record)
    if reply is None:
        return None
    row, layout = reply["jsonData"]["rows"][0], served.detectors.layout
    by_feature = {part["feature"]: part["contribution"] for part in row["contributions"]}
    return Explanation(record[layout.date], record[layout.hour], row["base"], row["prediction"], by_feature)


def _screened(record: ReplayRecord, wish: Wish, served: Served) -> ReplayRecord:
    """What of it may retrain, as `pedalflow collected` would write it."""
    pairs = read_pairs([wish.state / FOLDER], served.schema, served.detectors)
    return replace(record, kept=pairs.kept, kept_out=pairs.kept_out)


if __name__ == "__main__":
    sys.exit(outermost(main))
