"""Builds the container images with Docker or Podman, and pushes them to a registry by digest.

    tools/python tools/images.py build                                        # what `make images` calls
    tools/python tools/images.py build serving --push registry.example.org/team

Standard library only, Python 3.8 or newer. docs/images.md explains what is in the images.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("pipelines", "serving", "triggers", "notebook")
ENGINES = ("docker", "podman")
MIRRORS = (
    "PIP_INDEX_URL",
    "UV_DEFAULT_INDEX",
)  # handed on by name alone: a mirror's address may hold a password
PUSHED = Path("build/images.json")
EXIT_UNEXPECTED, EXIT_USAGE, EXIT_ENVIRONMENT_MISSING = (
    1,
    2,
    5,
)  # the same numbers as in pedalflow.command.exits
EXIT_INTERRUPTED = 130


class ImagesError(Exception):
    """Why there are no images, as one sentence that says what to do, and the exit code."""

    def __init__(self, said: str, code: int) -> None:
        super().__init__(said)
        self.code = code


class Makings(NamedTuple):
    """What the labels of an image say. `commit` ends with `-dirty` where the tree differs from it; `time` is the commit's."""

    commit: str
    version: str
    source: str
    time: str

    @property
    def dirty(self) -> bool:
        """Whether the code is no commit's."""
        return self.commit.endswith("-dirty")

    @property
    def tag(self) -> str:
        """A short name of the commit."""
        return self.commit[:12] + ("-dirty" if self.dirty else "")


class Built(NamedTuple):
    """One image that was built. `size` is its bytes on this machine."""

    name: str
    image: str
    size: int
    seconds: float


def local_name(name: str) -> str:
    """The image as this machine knows it, and as the local overlay of the manifests names it."""
    return f"pedalflow-{name}:local"


def build_command(engine: str, name: str, makings: Makings, base: str | None) -> list[str]:
    """The command that builds one image, with the repository as its context."""
    given = {"COMMIT": makings.commit, "VERSION": makings.version, "SOURCE": makings.source}
    given["SOURCE_DATE_EPOCH"] = makings.time  # the engine takes it for the image's own time
    if base:
        given["BASE"] = base
    arguments = [word for key, value in given.items() for word in ("--build-arg", f"{key}={value}")]
    arguments += [word for key in MIRRORS if key in os.environ for word in ("--build-arg", key)]
    file = f"images/{name}/Dockerfile"
    return [engine, "build", "--file", file, "--tag", local_name(name), *arguments, "."]


def push_commands(engine: str, name: str, makings: Makings, prefix: str) -> list[list[str]]:
    """The commands that give an image its place in the registry and send it there."""
    place = pushed_name(name, makings, prefix)
    return [[engine, "tag", local_name(name), place], [engine, "push", place]]


def pushed_name(name: str, makings: Makings, prefix: str) -> str:
    """The image's place in the registry, with the commit as its tag."""
    return f"{prefix.rstrip('/')}/pedalflow-{name}:{makings.tag}"


def digest_of(place: str, repo_digests: str) -> str:
    """`place` without its tag and with the digest that the registry knows it by; raises ImagesError where there is none.

    `repo_digests` is the engine's JSON list of what the image is called where.
    """
    repository = place.rsplit(":", 1)[0]
    for entry in json.loads(repo_digests) or []:
        if re.fullmatch(re.escape(repository) + r"@sha256:[0-9a-f]{64}", entry):
            return str(entry)
    raise ImagesError(f"{place} was pushed, but the engine does not say under which digest", EXIT_UNEXPECTED)


def find_engine() -> str:
    """The first engine that answers; raises ImagesError that says what is missing."""
    installed = [engine for engine in ENGINES if shutil.which(engine)]
    for engine in installed:
        if subprocess.run([engine, "info"], capture_output=True).returncode == 0:
            return engine
    if installed:
        said = f"{installed[0]} is installed, but its engine does not answer; start it, or let this user reach it"
    else:
        said = "neither Docker nor Podman is installed, and one of them has to build the images; install one"
    raise ImagesError(f"{said} (--dry-run shows the commands without it)", EXIT_ENVIRONMENT_MISSING)


def read_makings() -> Makings:
    """What git and pyproject.toml say; outside a repository the commit is `unknown`."""
    version = re.search(
        r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    commit = _git("rev-parse", "HEAD") or "unknown"
    changed = bool(_git("status", "--porcelain")) or commit == "unknown"
    return Makings(
        commit=commit + ("-dirty" if changed else ""),
        version=version.group(1) if version else "unknown",
        source=without_credentials(_git("config", "--get", "remote.origin.url")),
        time=_git("log", "-1", "--format=%ct") or "0",
    )


def without_credentials(address: str) -> str:
    """The address of a repository as everybody may read it; `unknown` where there is none."""
    if not address or "://" not in address:
        return address.split("@")[-1] or "unknown"
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.split("@")[-1]).geturl()


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def build(engine: str, name: str, makings: Makings, base: str | None) -> Built:
    """Build one image; what the engine says while it works goes to the standard error."""
    begun = time.monotonic()
    _run(build_command(engine, name, makings, base), f"the image {name} was not built")
    size = _ask([engine, "image", "inspect", "--format", "{{.Size}}", local_name(name)])
    return Built(name, local_name(name), int(size), time.monotonic() - begun)


def push(engine: str, name: str, makings: Makings, prefix: str) -> str:
    """Push one image and return its name with the digest."""
    for command in push_commands(engine, name, makings, prefix):
        _run(command, f"the image {name} was not pushed to {prefix}")
    place = pushed_name(name, makings, prefix)
    return digest_of(place, _ask([engine, "image", "inspect", "--format", "{{json .RepoDigests}}", place]))


def _run(command: list[str], otherwise: str) -> None:
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
        raise ImagesError(f"{otherwise}; {command[0]} says above why", EXIT_UNEXPECTED)


def _ask(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def write_pushed(pushed: dict[str, str], file: Path) -> None:
    """Add the images' names with their digests to `file`, which may hold those of other images."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(6)}.draft")
    draft.write_text(json.dumps({**known, **pushed}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(file)


def as_table(built: list[Built]) -> str:
    """What was built, as people read it."""
    rows = [(one.image, f"{one.size / 1e6:,.0f} MB", f"{one.seconds:.0f} s") for one in built]
    return "\n".join(f"{image:28}{size:>10}{seconds:>8}" for image, size, seconds in rows)


def show_commands(names: list[str], makings: Makings, arguments: argparse.Namespace) -> None:
    """Print what would be run, for the engine that there is or else for Docker."""
    engine = next((engine for engine in ENGINES if shutil.which(engine)), ENGINES[0])
    for name in names:
        pushes = push_commands(engine, name, makings, arguments.push) if arguments.push else []
        for command in (build_command(engine, name, makings, arguments.base), *pushes):
            print(shlex.join(command))


def carry_out(arguments: argparse.Namespace) -> None:
    """Build, and push where that is asked for; raises ImagesError."""
    names, makings = arguments.images or list(NAMES), read_makings()
    if arguments.dry_run:
        return show_commands(names, makings, arguments)
    if arguments.push and makings.dirty:
        raise ImagesError(
            "the working tree differs from its commit, and a registry keeps what a commit can make again; "
            "commit first (git status shows what differs)",
            EXIT_USAGE,
        )
    engine = find_engine()
    print(as_table([build(engine, name, makings, arguments.base) for name in names]))
    if arguments.push:
        pushed = {name: push(engine, name, makings, arguments.push) for name in names}
        write_pushed(pushed, ROOT / PUSHED)
        print("\n".join(("", *pushed.values(), "", f"{PUSHED} holds these names")))
    return None


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line; a usage error prints what is wrong and exits with 2."""
    parser = argparse.ArgumentParser(
        prog="tools/images.py", description="Builds the container images.", allow_abbrev=False
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    building = actions.add_parser("build", help="build the images, and push them", allow_abbrev=False)
    building.add_argument(
        "images", nargs="*", metavar="IMAGE", help=f"of {', '.join(NAMES)}; all if none is named"
    )
    building.add_argument("--push", metavar="PREFIX", help="push to PREFIX/pedalflow-IMAGE, by digest")
    building.add_argument("--base", metavar="IMAGE", help="another base image with Python 3.10")
    building.add_argument("--dry-run", action="store_true", help="print the commands and run none")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.images if name not in NAMES]
    if unknown:
        building.error(f"there is no image {unknown[0]!r}; choose of {', '.join(NAMES)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Carry out a command line and return the exit code."""
    arguments = parse(argv)
    try:
        carry_out(arguments)
    except ImagesError as error:
        print(f"pedalflow: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("\npedalflow: interrupted; the engine keeps the layers that are finished", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
