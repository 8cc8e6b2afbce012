"""The subcommands of `pedalflow`: which runtime and module each one starts, and how it is explained."""

from __future__ import annotations

from dataclasses import dataclass

PIPELINES = "pipelines"


@dataclass(frozen=True)
class Command:
    """One subcommand. `runtime` names an environment under .venv/; None means that the front door does it itself."""

    name: str
    runtime: str | None
    module: str
    summary: str
    description: str
    example: str


COMMANDS = (
    Command(
        name="data",
        runtime=PIPELINES,
        module="pipelines.arrivals.command",
        summary="take in new batches of data, and show what is there",
        description=(
            "The data comes in spans: batches of hours that arrived together, each versioned with DVC. A new batch is checked as "
            "a whole and either becomes the next span or is refused with the row, column, value and rule named; a refused file "
            "stays in quarantine with its report."
        ),
        example="pedalflow data arrive january.csv",
    ),
    Command(
        name="train",
        runtime=PIPELINES,
        module="pipelines.train_command",
        summary="train, evaluate and gate a model on spans 1 to N, and register its release",
        description=(
            "Runs the pipeline once. The last days of the newest span are the evaluation set; the model is compared with the "
            "naive mean and with the champion on the same rows. A refused model is recorded with the rule it failed."
        ),
        example="pedalflow train --until-span 3",
    ),
    Command(
        name="loop",
        runtime=PIPELINES,
        module="pipelines.loop_command",
        summary="play the whole story: train on the first year, let months arrive, retrain, report",
        description=(
            "Trains on span 1, lets the spans up to N arrive, retrains, and shows both models on the same newest data in a table "
            "and one self-contained HTML report. `make run` plays it in the workspace run/."
        ),
        example="pedalflow --workspace run loop",
    ),
    Command(
        name="evaluate",
        runtime=PIPELINES,
        module="pipelines.evaluate_command",
        summary="write the metrics and plots of one run in the form that DVC reads",
        description=(
            "Takes the record that `pedalflow --json train` printed and writes metrics.json, by_day.csv, by_hour.csv and "
            "predictions.csv. It is the last stage of dvc.yaml: `dvc metrics show` and `dvc plots show` read them."
        ),
        example="pedalflow evaluate state/dvc-run.json --into metrics",
    ),
    Command(
        name="status",
        runtime=PIPELINES,
        module="pipelines.status_command",
        summary="show the spans, the last runs, the champion and the challenger",
        description="Reads the workspace and the registry and changes nothing.",
        example="pedalflow --json status",
    ),
    Command(
        name="doctor",
        runtime=None,
        module="pedalflow.command.doctor",
        summary="check this machine and say which command mends what is wrong",
        description=(
            "Looks at interpreters, environments and their locks, disk space, the workspace and git. Exits with 1 if anything "
            "that must be right is not."
        ),
        example="pedalflow doctor",
    ),
)


def command(name: str) -> Command:
    """The subcommand called `name`; KeyError if there is none."""
    return {entry.name: entry for entry in COMMANDS}[name]
