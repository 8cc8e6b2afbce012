"""The subcommands of `pedalflow`: which runtime and module each one starts, and how it is explained."""

from __future__ import annotations

from dataclasses import dataclass

PIPELINES = "pipelines"
SERVING = "serving"
TRIGGERS = "triggers"


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
        summary="train, evaluate and gate a model on the spans that have arrived, and register its release",
        description=(
            "Runs the pipeline once. The last days of the newest span are the evaluation set; the model is compared with the "
            "naive mean and with the champion on the same rows. A refused model is recorded with the rule it failed."
        ),
        example="pedalflow train --take-in january.csv",
    ),
    Command(
        name="promote",
        runtime=PIPELINES,
        module="pipelines.promote_command",
        summary="make a registered release the champion",
        description=(
            "Moves the registry's alias to the release and tells the serving processes. A release that a gate refused, or that was "
            "judged against another champion than the one that serves, is not promoted. Called again, it changes nothing."
        ),
        example="pedalflow promote r-ac5bb310e003",
    ),
    Command(
        name="loop",
        runtime=PIPELINES,
        module="pipelines.loop_command",
        summary="play the whole story: train on the first year, serve, replay the second, drift, retrain, roll out",
        description=(
            "Trains on span 1, serves the release, and replays 2012 hour by hour. Drift, uploads and a push enter by the triggers' door; "
            "the model retrains and is rolled out as a canary. A broken batch, a bad model and a bad canary are staged on the way. "
            "`make run` plays it in the workspace run/. Interrupted, it goes on where it was."
        ),
        example="pedalflow --workspace run loop",
    ),
    Command(
        name="compile",
        runtime=PIPELINES,
        module="pipelines.kubeflow.compile_command",
        summary="compile the pipeline for Kubeflow",
        description=(
            "Writes the pipeline as Kubeflow Pipelines' own YAML, with parameters for the data, the champion and the hyperparameters, "
            "and looks whether all that is in it runs on open-source Kubeflow. The same commit and parameters give the same file."
        ),
        example="pedalflow compile --output build/pedalflow.yaml",
    ),
    Command(
        name="rehearse",
        runtime=PIPELINES,
        module="pipelines.kubeflow.rehearse_command",
        summary="run a compiled pipeline on this machine as Kubeflow would, task by task",
        description=(
            "Builds what Kubeflow's driver would hand each task, fills and collects folders as its launcher would, and runs the "
            "compiled commands. What comes out is the release that `pedalflow train` makes of the same data and parameters, byte for "
            "byte. It has a registry and an object store of its own, so it changes nothing that serves."
        ),
        example="pedalflow rehearse build/pedalflow.yaml --until-span 1",
    ),
    Command(
        name="deploy",
        runtime=PIPELINES,
        module="pipelines.kubeflow.deploy_command",
        summary="upload a compiled pipeline to Kubeflow as a version",
        description=(
            "The version is named after the commit, so the same commit in the same image is the same version, however often it is "
            "deployed. A file that names an image which was never published, or that comes from changed code, is refused."
        ),
        example="pedalflow deploy --host http://localhost:8888",
    ),
    Command(
        name="submit",
        runtime=PIPELINES,
        module="pipelines.kubeflow.submit_command",
        summary="start a run of the deployed pipeline on the workspace's newest spans, and follow it",
        description=(
            "Resolves window, hashes and champion, holds them against the parameters of the deployed version, and starts a run of it. "
            "The same version with the same arguments is the same run, so that nothing starts twice where an answer is lost."
        ),
        example="pedalflow submit --host http://localhost:8888 --wait",
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
        name="serve",
        runtime=SERVING,
        module="serving.serve_command",
        summary="serve the champion on this machine: predictor, outlier detector, explainer, drift detectors",
        description=(
            "Starts the classes through Seldon's own wrapper, wired as the manifests wire them in a cluster; a stand-in for Seldon's "
            "executor answers on the first port. A release that is promoted meanwhile is taken up without a restart. Ctrl-C stops "
            "everything."
        ),
        example="pedalflow --workspace run serve",
    ),
    Command(
        name="rollout",
        runtime=SERVING,
        module="serving.rollout_command",
        summary="give a release a share of the live traffic, then promote it or roll it back by its errors",
        description=(
            "The canary of the running servers answers a share of the requests with the release. The labels that come back say how much "
            "either side errs; the release is promoted unless it is worse, and rolled back otherwise. Both are a success. Where no "
            "servers with a canary run, it is promoted at once, unless its last rollout was rolled back. With --cluster it does the "
            "same on a SeldonDeployment, step by step."
        ),
        example="pedalflow rollout r-ac5bb310e003 --percent 20",
    ),
    Command(
        name="replay",
        runtime=SERVING,
        module="serving.replay_command",
        summary="send the hours of one span to the served model and show predictions, outliers and drift",
        description=(
            "Starts the servers, sends every hour of the span as a request over REST, some again "
            "over gRPC, then the labels as feedback, and shows what the detectors made of it."
        ),
        example="pedalflow --workspace run replay --span 4",
    ),
    Command(
        name="predict",
        runtime=SERVING,
        module="serving.predict_command",
        summary="predict a whole file (CSV or Parquet) with the served model's own code",
        description=(
            "Streams the file through the release's model: nothing is held in memory but one batch. A bad row is named with its "
            "field, value and rule."
        ),
        example="pedalflow predict --input hours.csv --output predicted.parquet",
    ),
    Command(
        name="wheel",
        runtime=SERVING,
        module="serving.wheel_command",
        summary="pack a release as a wheel that a Python program imports and calls without any server",
        description="The same release gives the same bytes. The wheel needs numpy and onnxruntime, and nothing of this project.",
        example="pedalflow wheel --output dist",
    ),
    Command(
        name="detectors",
        runtime=SERVING,
        module="serving.detectors_command",
        summary="show the detectors that a release carries, or export them for alibi-detect's own server",
        description=(
            "A release carries its outlier detector, drift reference and concept-drift baseline as arrays and JSON. `show` prints "
            "what they hold; `export` writes alibi-detect's saved form."
        ),
        example="pedalflow detectors show",
    ),
    Command(
        name="collected",
        runtime=SERVING,
        module="serving.collected_command",
        summary="write the labelled requests that were collected, without those that must not retrain",
        description=(
            "Joins the labels that came back to their predictions by request id, screens them for outliers, stuck sensors and bursts, "
            "and writes what may retrain; what is kept out is written with its reason."
        ),
        example="pedalflow collected --output labelled.csv --kept-out kept-out.csv",
    ),
    Command(
        name="triggers",
        runtime=TRIGGERS,
        module="triggers.triggers_command",
        summary="run the service that every reason to retrain enters by, ask it for a retraining, pause it, or show its policy",
        description=(
            "Code changes, data commits, uploads, drift, schedules and people become events, which one table turns into runs of the "
            "deployed pipeline, one at a time. `serve` runs the service with its page, `fire` sends a person's wish to it, `pause` "
            "lets no run start until `resume`, `policy` prints the table."
        ),
        example="pedalflow triggers serve",
    ),
    Command(
        name="trace",
        runtime=TRIGGERS,
        module="triggers.trace_command",
        summary="go from a request, run, release, event, span or commit to everything it is tied to, and why",
        description=(
            "Says first why it is so (why did this run start, why did that alert not start one), then shows what it is tied to: the "
            "release that answered, the training, its data and commit, the run, its events with their decisions. Reads files and the "
            "database of events, whether or not the service runs; changes nothing."
        ),
        example="pedalflow trace r-ac5bb310e003",
    ),
    Command(
        name="notebook",
        runtime=PIPELINES,
        module="pipelines.notebook_command",
        summary="open the notebooks in JupyterLab, with the pipelines environment",
        description=(
            "Copies the notebooks that the workspace lacks to its state/notebooks/ and opens them there: explore, train and debug, "
            "lineage, drift, and the way to Kubeflow. What you change is yours and stays; no file of the repository changes."
        ),
        example="pedalflow --workspace run notebook",
    ),
    Command(
        name="status",
        runtime=PIPELINES,
        module="pipelines.status_command",
        summary="show the spans, the last runs, the champion and the challenger, and what the triggers know",
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
