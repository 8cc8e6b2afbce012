"""A small world for the workflows: a repository with a commit and small parameters, checkouts of it, buckets, artifacts, and actions."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pedalflow.command.table import PIPELINES, SERVING
from pedalflow.workspace import Workspace
from tests.samples import outside_programs
from tests.samples.project_copy import SMALL, set_params
from tests.samples.workflow_files import ROOT
from tests.samples.workflow_runner import Action, Edge, Used, WorkflowRunner

AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
IMAGES = "registry.example.org/team"
EVENTS = "http://triggers.example.org/events/cloudevents"
# Heavy commands, word for word, and the same in small. The environments are there already, and setting them up is tested elsewhere.
SMALLER = {
    'make setup ENVIRONMENTS="$ENVIRONMENTS"': 'test -n "$ENVIRONMENTS"',
    "make setup ENVIRONMENTS=pipelines": "true",
    'make images PUSH="$IMAGES"': '.venv/pipelines/bin/python tools/images.py build --push "$IMAGES"',
}


def nothing(used: Used) -> Mapping[str, str]:
    """What an action does that only matters on GitHub's machines."""
    return {}


@dataclass(frozen=True)
class World:
    """Where everything lies."""

    place: Path
    mlflow: str
    prometheus: str = "http://prometheus.example.org:9090"

    @property
    def origin(self) -> Path:
        return self.place / "origin.git"

    @property
    def outside(self) -> Path:
        return self.place / "outside"

    @property
    def artifacts(self) -> Path:
        return self.place / "artifacts"

    @property
    def buckets(self) -> Path:
        return self.outside / "buckets"

    def push(self, changes: Mapping[str, str]) -> None:
        """A commit on main that appends to files, as somebody might push it meanwhile."""
        folder = self.place / "of-others"
        _git(self.place, "clone", "--quiet", str(self.origin), str(folder))
        for name, more in changes.items():
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(more)
        _git(folder, *AUTHOR, "commit", "--quiet", "--all", "--message", "a change by others")
        _git(folder, "push", "--quiet", "origin", "HEAD:main")
        shutil.rmtree(folder)

    def checkout(self, folder: Path) -> None:
        """What a job begins with: the newest commit of main, and the environments beside it."""
        _git(self.place, "clone", "--quiet", str(self.origin), str(folder))
        (folder / ".venv").mkdir()
        for name in (PIPELINES, SERVING):
            (folder / ".venv" / name).symlink_to(ROOT / ".venv" / name)

    def runner(
        self,
        name: str,
        kfp: Mapping[str, str],
        payload: Mapping[str, object],
        smaller: Mapping[str, str],
        attempt: str = "1",
    ) -> WorkflowRunner:
        """What runs workflows here, in a folder of this name. `kfp` is the address of Kubeflow Pipelines in each environment."""
        place = self.place / name
        found = outside_programs.install(place / "programs", self.outside)
        edge = Edge(
            checkout=self.checkout,
            actions=self.actions(),
            smaller=SMALLER | smaller,
            variables={
                "": {
                    "WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/workloadIdentityPools/p/providers/p"
                },
                "images": images_variables(),
                **{name: self.variables(host) for name, host in kfp.items()},
            },
            secrets={"MLFLOW_PASSWORD": "a-password-of-the-test", "GITHUB_TOKEN": "a-token-of-the-test"},
            surroundings={
                **found,
                "HOME": str(self.place),
                "OMP_NUM_THREADS": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
            },
            event={"client_payload": payload},
            attempt=attempt,
        )
        return WorkflowRunner(place, edge)

    def variables(self, kfp_host: str) -> dict[str, str]:
        """The variables of one environment."""
        return {
            "CLUSTER": "a-cluster",
            "CLUSTER_LOCATION": "europe-west1",
            "DVC_REMOTE": str(self.place / "dvc-remote"),
            "KFP_HOST": kfp_host,
            "KFP_NAMESPACE": "",
            "KFP_SERVICE_ACCOUNT": "pedalflow-runs",
            "MLFLOW_USERNAME": "",
            "PIPELINE_VERSION": "",
            "PROMETHEUS": self.prometheus,
            "REGISTRY": self.mlflow,
            "RELEASES": "gs://bucket/releases",
            "RUNS_SERVICE_ACCOUNT": "runs@example.org",
            "SPANS": "gs://bucket/spans",
        }

    def actions(self) -> dict[str, Action]:
        """What stands for each action."""
        return {
            "actions/cache": nothing,
            "actions/checkout": nothing,
            "actions/upload-artifact": self._upload,
            "actions/download-artifact": self._download,
            "docker/login-action": nothing,
            "google-github-actions/auth": lambda used: {"access_token": "an-access-token-of-the-test"},
            "google-github-actions/get-gke-credentials": nothing,
            "google-github-actions/setup-gcloud": nothing,
        }

    def _upload(self, used: Used) -> Mapping[str, str]:
        paths = [used.checkout / path for path in used.inputs["path"].split()]
        files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
        assert all(path.exists() for path in paths), f"there is no {used.inputs['path']}"
        base = Path(os.path.commonpath(paths))
        base = base.parent if base.is_file() else base
        target = self.artifacts / used.inputs["name"]
        for file in (file for file in files if file.is_file()):
            (target / file.relative_to(base)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target / file.relative_to(base))
        return {}

    def _download(self, used: Used) -> Mapping[str, str]:
        shutil.copytree(
            self.artifacts / used.inputs["name"], used.checkout / used.inputs["path"], dirs_exist_ok=True
        )
        return {}


def images_variables() -> dict[str, str]:
    """The variables of the environment in which images are built."""
    return {
        "EVENTS_URL": EVENTS,
        "IMAGES": IMAGES,
        "IMAGES_HOST": "registry.example.org",
        "IMAGES_SERVICE_ACCOUNT": "images@example.org",
    }


def make_world(place: Path, small: Mapping[str, object] = SMALL) -> World:
    """A world with a first commit: what the work tree holds, with parameters of a model that trains in a second."""
    world = World(place, f"sqlite:///{place}/mlflow.sqlite")
    tree = place / "tree"
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():  # others may edit the work tree meanwhile
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    set_params(Workspace(tree), small)
    _git(place, "init", "--quiet", "--bare", "--initial-branch", "main", str(world.origin))
    for words in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "--all"),
        (*AUTHOR, "commit", "--quiet", "--message", "what the work tree holds"),
        ("push", "--quiet", str(world.origin), "main"),
    ):
        _git(tree, *words)
    return world


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout
