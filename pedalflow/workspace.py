"""A workspace: the folder that holds parameters, data and everything a run leaves behind.

The default workspace is the repository root; `make run` plays its loop in the git-ignored workspace `run/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import SettingsError
from pedalflow.whole_files import write_whole


@dataclass(frozen=True)
class Workspace:
    """Where everything lies, as absolute paths below `root`. Nothing is created by asking for a path."""

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.expanduser().resolve())

    @property
    def params(self) -> Path:
        """The parameters of pipeline, model and gates."""
        return self.root / "params.yaml"

    @property
    def spans(self) -> Path:
        """`span-NN.csv` beside `span-NN.csv.dvc`."""
        return self.root / "data" / "spans"

    @property
    def quarantine(self) -> Path:
        """One folder for each refused file, with its report."""
        return self.root / "data" / "quarantine"

    @property
    def state(self) -> Path:
        """All that runs leave behind; ignored by git."""
        return self.root / "state"

    @property
    def releases(self) -> Path:
        """One folder for each release."""
        return self.state / "releases"

    @property
    def serving(self) -> Path:
        """What serving keeps: the pointer to the champion, logs, collected requests, the detectors' state."""
        return self.state / "serving"

    @property
    def champion(self) -> Path:
        """The file that says which release serves (`pedalflow.champion`)."""
        return self.serving / "champion.json"

    @property
    def runs(self) -> Path:
        """One folder for each run, with `run.json` and `predictions.csv`."""
        return self.state / "runs"

    @property
    def rollouts(self) -> Path:
        """One record for each rollout."""
        return self.state / "rollouts"

    @property
    def triggers(self) -> Path:
        """What the retraining service keeps: its database, its secrets, its runs on this machine."""
        return self.state / "triggers"

    @property
    def triggers_database(self) -> Path:
        """The SQLite file of events and runs, unless the service's settings name another database."""
        return self.triggers / "triggers.sqlite"

    @property
    def reports(self) -> Path:
        """The HTML reports."""
        return self.state / "reports"

    @property
    def pipeline_root(self) -> Path:
        """Where TFX keeps its artifacts. Absolute, because TFX stores paths as they were given."""
        return self.state / "pipeline"

    @property
    def ml_metadata(self) -> Path:
        """The SQLite file of ML Metadata."""
        return self.state / "ml-metadata.sqlite"

    @property
    def mlflow_uri(self) -> str:
        """The default tracking URI of MLflow."""
        return f"sqlite:///{self.state / 'mlflow.sqlite'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where MLflow's artifacts go: experiments need an explicit location, or they land in the working directory."""
        return self.state / "mlflow-artifacts"

    @property
    def dvc_remote(self) -> Path:
        """DVC's default remote, a local folder."""
        return self.state / "dvc-remote"


def make_workspace(workspace: Workspace, template: Path) -> bool:
    """Give a folder that is no workspace yet a copy of the parameters `template`; one with its own keeps them.

    Returns whether the copy was made. Raises SettingsError where the folder cannot be made or written.
    """
    if workspace.params.exists():
        return False
    try:
        write_whole(workspace.params, template.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{workspace.root} cannot become a workspace: {error}; give another folder with --workspace"
        ) from error
    return True
