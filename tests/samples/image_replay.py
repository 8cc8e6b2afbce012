"""Carries out a Dockerfile's steps on this machine, below one folder, and starts what comes out of it as a container would.

    python tests/samples/image_replay.py triggers /tmp/somewhere     # what it makes, and how large that is

The base image is a copy of this machine's Python 3.10. A path such as /app becomes FOLDER/app, in the text of the steps and in the
variables. All stages share the folder; what the last one does not copy is removed in the end. The environment of what is started is
the image's alone and, where this is root, its user is too: it can write nothing but what the image lets it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import interpreters  # noqa: E402  # tools/ is no package

from tests.samples.dockerfile import Instruction, Stage, expand, stages  # noqa: E402  # after the path is set

VOLUMES = ("home/jovyan", "var/lib/pedalflow", "tmp")
# What a step begins with that is not carried out here, and why that proves nothing less.
LEFT_OUT = {
    "apt-get": "it would change this machine; what it installs are compilers for packages that come as source"
}
_PATH = re.compile(r"(?<![\w./-])/(?=(?:opt|app|build|home|var|tmp)\b)")
# How this machine reaches its packages.
_PACKAGES = re.compile(r"(PIP|UV|SSL|REQUESTS)_\w+|\w+_(proxy|PROXY)|HOME|LANG")


@dataclass
class Replayed:
    """An image as far as it is made. Everything in it lies below `folder`; `base` is its Python."""

    folder: Path
    base: Path
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    workdir: str = "/"
    user: str = "0:0"
    copied: list[str] = field(default_factory=list)

    def at(self, path: str) -> Path:
        """Where a path of the image lies on this machine."""
        return self.folder / path.lstrip("/")

    def mapped(self, text: str) -> str:
        """A text of the Dockerfile with the image's paths as this machine's."""
        return _PATH.sub(f"{self.folder}/", text)

    def start(
        self,
        words: Sequence[str] = (),
        *,
        instead: bool = False,
        variables: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> subprocess.Popen[bytes]:
        """Start the entry point with `words` for its arguments (else the image's), or `words` `instead` of it, as Kubernetes does."""
        told = [self.mapped(word) for word in words]
        command = told if instead else [*self.entrypoint, *(told or self.command)]
        environment = {**self.environment, **(variables or {})}
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            raise FileNotFoundError(f"the image has no program {command[0]}")
        user, group = map(int, self.user.split(":"))
        identity = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            [program, *command[1:]],
            env=environment,
            cwd=self.at(self.workdir),
            start_new_session=True,
            **{**identity, **popen},
        )

    def run(self, words: Sequence[str], *, instead: bool = False, **more: Any) -> tuple[int, str]:
        """The exit code of the same, and what it printed."""
        with self.start(
            words, instead=instead, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more
        ) as process:
            out = process.communicate(timeout=300)[0]
        return process.returncode, out.decode()


def replay(name: str, folder: Path, after: str = "", log: IO[str] = sys.stderr) -> Replayed:
    """Make the image `name` below `folder`, which is empty or not there yet, or holds what was made of the image `after`.

    Then the first steps that the two have in common are not carried out again, as an engine takes them from its cache.

    Raises:
        subprocess.CalledProcessError: a step failed.
    """
    image = Replayed(folder / "root", folder / "base")
    if after:
        shutil.rmtree(image.at("app"))
    else:
        _begin(image)
    for stage in stages(dockerfile(name)):
        _carry_out(stage, image, same_steps(name, after), log)
    _remove_what_was_not_copied(image)
    return image


def dockerfile(name: str) -> str:
    """The text of an image's Dockerfile."""
    return (ROOT / "images" / name / "Dockerfile").read_text(encoding="utf-8")


def same_steps(name: str, other: str) -> list[Instruction]:
    """The steps with which both files begin, to the last that runs something: what is copied after it lies in another folder."""
    if not other:
        return []
    mine, others = (stages(dockerfile(image))[0].instructions for image in (name, other))
    same = [one for one, two in takewhile(lambda pair: pair[0].same_as(pair[1]), zip(mine, others))]
    return same[: 1 + max(at for at, one in enumerate(same) if one.word == "RUN")]


def _begin(image: Replayed) -> None:
    _copy_interpreter(image.base)
    for volume in VOLUMES:
        image.at(volume).mkdir(parents=True)
    image.at("tmp").chmod(0o1777)


def _copy_interpreter(base: Path) -> None:
    found = interpreters.find_without_uv("3.10")
    if found is None:
        raise FileNotFoundError("there is no Python 3.10 on this machine")
    prefix = Path(found.path).resolve().parents[1]
    ignored = shutil.ignore_patterns("site-packages", "test", "__pycache__", "*.a", "share")
    base.parent.mkdir(parents=True, exist_ok=True)
    for part in ("bin", "lib", "include"):
        shutil.copytree(prefix / part, base / part, symlinks=True, ignore=ignored)
    for name in ("python", "python3"):
        (base / "bin" / name).unlink(missing_ok=True)
        (base / "bin" / name).symlink_to("python3.10")
    _find_library_beside_it(base / "bin" / "python3.10", prefix)


def _find_library_beside_it(python: Path, prefix: Path) -> None:
    """An interpreter with a shared library looks for it in the folder it was built for, which the image's user may not enter."""
    before, after = f"{prefix}/lib".encode(), b"$ORIGIN/../lib"
    found = python.read_bytes()
    python.write_bytes(found.replace(before + b"\0", after.ljust(len(before), b"\0") + b"\0"))


def _carry_out(stage: Stage, image: Replayed, done: list[Instruction], log: IO[str]) -> None:
    image.environment = {
        "PATH": f"{image.base}/bin:/usr/bin:/bin",
        "TMPDIR": str(image.at("tmp")),
    }
    for instruction in stage.instructions:
        if instruction in done and instruction.word in ("COPY", "RUN"):
            continue
        print(f"{instruction.word} {instruction.text}"[:160], file=log, flush=True)
        _STEPS[instruction.word](instruction, image)


def _arg(instruction: Instruction, image: Replayed) -> None:
    name, given, default = instruction.text.partition("=")
    if given:
        image.environment.setdefault(name, default)


def _env(instruction: Instruction, image: Replayed) -> None:
    before = dict(image.environment)
    for name, value in instruction.pairs.items():
        image.environment[name] = expand(image.mapped(value), before)


def _copy(instruction: Instruction, image: Replayed) -> None:
    *sources, target = instruction.plain
    if "from" in instruction.options:
        assert sources == [target], "the replay has one folder for all stages"
        image.copied.append(target)
        return
    into = image.at(target)
    for source in sources:
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints")
            shutil.copytree(ROOT / source, into, ignore=ignored, dirs_exist_ok=True)
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / source, into)


def _run(instruction: Instruction, image: Replayed) -> None:
    if instruction.text.startswith(tuple(LEFT_OUT)):
        return
    text = image.mapped(instruction.text)
    if os.geteuid() != 0:
        text = re.sub(r"--(owner|group)=\d+ ", "", text)
    machine = {name: value for name, value in os.environ.items() if _PACKAGES.fullmatch(name)}
    subprocess.run(["sh", "-c", text], env={**machine, **image.environment}, cwd=image.folder, check=True)


def _workdir(instruction: Instruction, image: Replayed) -> None:
    image.workdir = instruction.text
    image.at(image.workdir).mkdir(parents=True, exist_ok=True)


def _user(instruction: Instruction, image: Replayed) -> None:
    image.user = instruction.text


def _entrypoint(instruction: Instruction, image: Replayed) -> None:
    image.entrypoint, image.command = instruction.words, []


def _cmd(instruction: Instruction, image: Replayed) -> None:
    image.command = instruction.words


def _nothing(instruction: Instruction, image: Replayed) -> None:
    """What only describes the image."""


_STEPS = {
    "ARG": _arg,
    "ENV": _env,
    "COPY": _copy,
    "RUN": _run,
    "WORKDIR": _workdir,
    "USER": _user,
    "ENTRYPOINT": _entrypoint,
    "CMD": _cmd,
    "EXPOSE": _nothing,
    "LABEL": _nothing,
}


def _remove_what_was_not_copied(image: Replayed) -> None:
    kept = {image.at(path) for path in (*image.copied, *VOLUMES)}
    needed = {path for place in kept for path in (place, *place.parents)}
    for depth in ("*", "*/*"):
        for path in [found for found in image.folder.glob(depth) if found.parent not in kept]:
            if path not in needed:
                shutil.rmtree(path)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())


if __name__ == "__main__":
    made = replay(sys.argv[1], Path(sys.argv[2]))
    for path in made.copied:
        print(f"{path:12}{size_of(made.at(path)) / 1e6:10,.1f} MB")
