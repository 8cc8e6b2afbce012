"""A checkout of its own in which the commands of a page are executed, with stand-ins for the services elsewhere. Every page begins with the
same files: 2011 has arrived and a first small model serves.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bikeshare.archive import ARCHIVE, cut_span
from pedalflow.champion import read_pointer
from pedalflow.command.runtimes import python_of
from pedalflow.workspace import Workspace
from serving.cluster.deployment import ReleaseAt
from tests.integration.docs import programs, terminal
from tests.integration.docs.wording import Addresses, as_executed
from tests.integration.workflows.conftest import runs_succeed
from tests.samples.docs_blocks import Block
from tests.samples.free_ports import OF_A_LOOP, free_block
from tests.samples.kfp_api_process import kfp_process
from tests.samples.kubernetes_api_stand_in import ClusterApi, kubernetes_api
from tests.samples.pedalflow_stand_in import COMMAND
from tests.samples.project_copy import environment
from tests.samples.prometheus_stand_in import Behaviour, PrometheusApi, prometheus_api
from tests.samples.small_release import small_release
from tests.samples.workflow_files import ROOT
from tests.samples.workflow_world import AUTHOR, make_world

HERE = Path(__file__).parent
PAGE_WITHIN_S = 1800
SERVED = "pedalflow serve"
DOOR = "pedalflow triggers serve"
ASKED = (
    "curl -s http://127.0.0.1:9000/api/v1.0/predictions -H 'Content-Type: application/json' -d @request.json"
)
A_MONTH = 'python "$DOCS_TESTS/month.py" http://127.0.0.1:9000'
# What a reader has started before the first command of a page, because the page says so in its text.
BEFORE: Mapping[str, Sequence[str]] = {
    "docs/cluster.md": (SERVED, DOOR),
    "docs/kubeflow.md": ("make images PUSH=registry.example.org/team",),
    "docs/manifests.md": (SERVED, ASKED),
    "docs/events.md": (SERVED, A_MONTH),
}
UNSIGNED = "gcloud auth print-identity-token"
REFUSED_BY_HTTP = 22  # as curl says it
# Variables that a page speaks of as the reader's own.
VARIABLES = {
    "ACCOUNT": "pusher@my-project.iam.gserviceaccount.com",
    "COMMIT": "0123456789abcdef0123456789abcdef01234567",
    "EVENTS_URL": "http://triggers.example.org/events/cloudevents",
    "OBJECTS": "gs://bucket/hours.csv",
    "SPANS": "gs://bucket/spans",
}
# What the retraining service's launcher hears of the runs that it starts; tests of the launcher train for real.
RUNS = {
    "train": [
        {
            "json": {
                "run_id": "span-02-abc",
                "outcome": "challenger",
                "release_id": "r-000000000002",
                "until_span": 2,
            }
        }
    ],
    "rollout": [
        {"json": {"outcome": "promoted", "reason": "the canary was better", "canary": {}, "champion": {}}}
    ],
}


class PageFailed(AssertionError):
    """A command of a page that ended with an error, with the line of its block and all that it said."""


@dataclass(frozen=True)
class DocsWorld:
    """The checkout, the files that every page begins with, and the programs."""

    place: Path

    @property
    def project(self) -> Path:
        return self.place / "project"

    @property
    def kept(self) -> Path:
        return self.place / "kept"

    @property
    def out(self) -> Path:
        return self.place / "out"

    def begin(self) -> None:
        """Put everything back to what a page begins with."""
        if self.project.exists():  # a run that outlives its service by design may still write there
            self.project.rename(self.place / f"gone-{secrets.token_hex(4)}")
        for folder in (*self.place.glob("gone-*"), self.out, self.place / "terminals", self.place / "site"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.kept, self.project, symlinks=True)
        _git(self.project, "push", "--quiet", "--force", "origin", "HEAD:main")
        self.out.mkdir()

    def run(self, page: str, blocks: Sequence[Block]) -> None:
        """Execute the blocks of a page in one shell; PageFailed where a command fails or a server does not stop on Ctrl-C."""
        self.begin()
        with self._services(blocks) as (addresses, surroundings):
            script = self.place / "page.sh"
            script.write_text(self.script(page, blocks, addresses), encoding="utf-8")
            try:
                self._execute(script, surroundings)
            finally:
                terminal.interrupt_all(self.place / "terminals")

    def script(self, page: str, blocks: Sequence[Block], at: Addresses) -> str:
        """One script of all blocks; what each prints goes to a file that is named after its line."""
        before = "\n".join(BEFORE.get(page, ()))
        parts = [f'. "{HERE / "functions.sh"}"', as_executed(before, at)]
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            commands = self._commands(block, at)
            if commands and is_refused(block, following):
                commands = f"{commands.rstrip()} || [ $? = {REFUSED_BY_HTTP} ]"
            parts += [f"echo {block} >&9", f"{{\n:\n{commands}\n}} >{self.out}/{block.line}.txt"]
        return "\n".join(parts) + "\n"

    def _commands(self, block: Block, at: Addresses) -> str:
        if block.language != "python":
            return as_executed(block.script, at)
        file = self.out / f"{block.line}.py"
        file.write_text(as_executed(block.text, at), encoding="utf-8")
        return f'python_block "{file}"'

    def _execute(self, script: Path, surroundings: Mapping[str, str]) -> None:
        command = f'exec 9>"{self.out}/at"; . "{script}"'
        with (self.out / "errors.txt").open("w", encoding="utf-8") as errors:
            shell = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.project,
                env=dict(surroundings),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
            try:
                code = shell.wait(PAGE_WITHIN_S)
            except subprocess.TimeoutExpired as error:
                raise PageFailed(self._told(f"no end within {PAGE_WITHIN_S} s")) from error
            finally:
                terminal.kill(shell.pid)
        if code != 0:
            raise PageFailed(self._told(str(code)))

    def _told(self, code: str) -> str:
        at = (self.out / "at").read_text(encoding="utf-8").split()
        where = at[-1] if at else "before its first block"
        printed = self.out / f"{where.rpartition(':')[2]}.txt"
        said = printed.read_text(encoding="utf-8") if printed.exists() else ""
        errors = (self.out / "errors.txt").read_text(encoding="utf-8")
        return f"{where}: a command of this block ended with {code}\n{said[-3000:]}\n{errors[-6000:]}"

    @contextmanager
    def _services(self, blocks: Sequence[Block]) -> Iterator[tuple[Addresses, dict[str, str]]]:
        """The services that these blocks speak to, and the environment variables of the shell."""
        text = "\n".join(block.text for block in blocks)
        workspace = Workspace(self.project)
        with ExitStack() as stack:
            kubeflow, prometheus, config = "http://127.0.0.1:1", "http://127.0.0.1:1", self.place / "none"
            if "pedalflow submit" in text or "pedalflow deploy" in text:
                kfp = stack.enter_context(kfp_process(python_of("triggers")))
                stack.enter_context(runs_succeed(kfp))
                kubeflow = kfp.address
            if "--cluster" in text:
                cluster, known = cluster_of(workspace)
                config = stack.enter_context(kubernetes_api(cluster, self.place))
                prometheus = stack.enter_context(prometheus_api(PrometheusApi(cluster, known)))
            addresses = Addresses(free_block(OF_A_LOOP), kubeflow, workspace.mlflow_uri, prometheus)
            yield addresses, self.surroundings(addresses, config)

    def surroundings(self, at: Addresses, kubeconfig: Path) -> dict[str, str]:
        """All environment variables of the shell; nothing of the caller's."""
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
        }
        return {
            **identity,
            **VARIABLES,
            "PATH": f"{self.place / 'programs'}{os.pathsep}{self.project}/.venv/pipelines/bin",
            "HOME": str(self.place),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "true",
            "GIT_CONFIG_NOSYSTEM": "1",
            "PYTHONPATH": str(self.place / "site"),
            "REGISTRY": at.registry,
            "KUBECONFIG": str(kubeconfig),
            "OUTSIDE": str(self.place / "outside"),
            "PEDALFLOW_KFP_HOST": at.kubeflow,
            "PEDALFLOW_WORKSPACE": str(self.project),
            "PEDALFLOW_TRIGGERS_LAUNCHERS__LOCAL__COMMAND": json.dumps(COMMAND),
            "DOCS_PLACE": str(self.place),
            "DOCS_PROJECT": str(self.project),
            "DOCS_TESTS": str(HERE),
            "DOCS_USUAL_PATH": os.environ["PATH"],
        }


def is_refused(block: Block, following: Block | None) -> bool:
    """Whether the page shows a request that is refused, or one that the stand-in for its sender cannot sign."""
    shown = following is not None and following.language == "text" and '"status":"FAILURE"' in following.text
    return shown or UNSIGNED in block.script


def cluster_of(workspace: Workspace) -> tuple[ClusterApi, dict[str, Behaviour]]:
    """A cluster that serves a release which only it knows, and on which the workspace's champion does as well."""
    serves = ReleaseAt("r-000000000000", "0" * 64, "s3://pipelines/releases/r-000000000000")
    champion = read_pointer(workspace.champion).release
    return ClusterApi(serves, looks=1), {serves.release: Behaviour(), champion: Behaviour()}


def make_docs_world(place: Path) -> DocsWorld:
    """Build it; takes about a minute, most of which is the training."""
    world = DocsWorld(place)
    made = make_world(place)
    _git(place, "clone", "--quiet", str(made.origin), str(world.project))
    for name in (".venv", "state/releases"):
        (world.project / name).mkdir(parents=True)
    for folder in (ROOT / ".venv").iterdir():
        (world.project / ".venv" / folder.name).symlink_to(folder)
    programs.install(place / "programs")
    for command in (("data", "prepare", "--until-span", "1"), ("train",)):
        _pedalflow(world.project, *command)
    _bring_files(world)
    world.project.rename(world.kept)
    return world


def _bring_files(world: DocsWorld) -> None:
    """The files that the pages speak of, none of which is the repository's: months, a request, a release of somebody else."""
    january, february = (cut_span(ARCHIVE, span) for span in (2, 3))
    for name, content in (("january.csv", january), ("february.csv", february), ("hours.csv", january)):
        (world.project / name).write_bytes(content)
    (world.project / ".git" / "info" / "exclude").write_text("/*.csv\n/*.json*\n/*.log\n", encoding="utf-8")
    request = {"dteday": "2012-01-03", "hr": 8, "season": 1, "holiday": 0, "weekday": 2, "workingday": 1}
    request |= {"weathersit": 1, "temp": 0.16, "atemp": 0.1818, "hum": 0.43, "windspeed": 0.1045}
    (world.project / "request.json").write_text(json.dumps({"jsonData": request}), encoding="utf-8")
    (world.project / "answers.json").write_text(json.dumps(RUNS), encoding="utf-8")
    bucket = world.place / "outside" / "buckets" / "bucket"
    bucket.mkdir(parents=True)
    (bucket / "hours.csv").write_bytes(january)
    other = small_release(world.place / "other")
    shutil.copytree(other.folder, Workspace(world.project).releases / other.name)


def _pedalflow(project: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pedalflow.command.main", *words],
        cwd=project,
        env=environment(),
        capture_output=True,
        check=True,
        timeout=PAGE_WITHIN_S,
    )


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *AUTHOR, *words], cwd=folder, capture_output=True, check=True)
