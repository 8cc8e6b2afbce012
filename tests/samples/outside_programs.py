"""Stand-ins for `docker`, `gcloud` and `kubectl`, for tests that run the commands of workflows: they do to files what the real ones do to
registries, buckets and clusters, note every call, and refuse what no workflow of ours calls.

    PATH=…/programs:$PATH OUTSIDE=FOLDER gcloud storage cp a.csv gs://bucket/spans/     # a.csv is in FOLDER/buckets/bucket/spans now
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = ROOT / ".venv" / "delivery" / "bin" / "kubectl"
PROGRAMS = ("docker", "gcloud", "kubectl")
TOKEN = "a-token-of-the-stand-in"


def install(folder: Path, outside: Path) -> Mapping[str, str]:
    """Put the programs into `folder`; returns the variables with which commands find them before the real ones."""
    folder.mkdir(parents=True)
    outside.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "OUTSIDE": str(outside)}


def calls(outside: Path) -> list[list[str]]:
    """All calls so far."""
    file = outside / "calls"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def docker(words: Sequence[str], outside: Path) -> str:
    """An engine whose images have the digest of their own name."""
    match list(words):
        case ["info"] | ["tag", *_] | ["push", _] | ["build", "--file", _, "--tag", *_]:
            return ""
        case ["image", "inspect", "--format", "{{.Size}}", _]:
            return "1000000"
        case ["image", "inspect", "--format", "{{json .RepoDigests}}", place]:
            digest = hashlib.sha256(place.encode()).hexdigest()
            return json.dumps([f"{place.rpartition(':')[0]}@sha256:{digest}"])
    raise SystemExit(f"the stand-in for docker knows no {' '.join(words)}")


def gcloud(words: Sequence[str], outside: Path) -> str:
    """Cloud Storage in a folder."""
    match list(words):
        case ["container", "clusters", "get-credentials", _, "--location", _]:
            return ""
        case ["storage", "cp", *more]:
            *sources, target = [word for word in more if word not in ("--no-clobber", "--recursive")]
            return _copy(sources, target, outside)
    raise SystemExit(f"the stand-in for gcloud knows no {' '.join(words)}")


def kubectl(words: Sequence[str], outside: Path) -> str:
    """A cluster that gives tokens and keeps what is applied; manifests are made by the real kubectl."""
    match list(words):
        case ["create", "token", _, "--namespace", _, "--audience", _, "--duration", _]:
            return TOKEN
        case ["create", "configmap", *_]:
            made = subprocess.run([str(KUBECTL), *words], check=True, capture_output=True, text=True)
            return made.stdout
        case ["apply", "-f", "-"]:
            (outside / "applied.yaml").write_text(sys.stdin.read(), encoding="utf-8")
            return ""
    raise SystemExit(f"the stand-in for kubectl knows no {' '.join(words)}")


def _copy(sources: Sequence[str], target: str, outside: Path) -> str:
    found = [Path(path) for source in sources for path in glob.glob(str(_place(source, outside)))]
    if len(found) < len(sources):
        raise SystemExit(f"there is nothing at one of {', '.join(sources)}")
    place = _place(target, outside)
    into = target.endswith("/") or len(found) > 1
    if into and "://" not in target and not place.is_dir():
        raise SystemExit(f"{target} is no folder")
    for path in found:
        to = place / path.name if into else place
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, to)
        else:
            shutil.copy(path, to)
    return ""


def _place(name: str, outside: Path) -> Path:
    scheme, _, rest = name.partition("://")
    return outside / "buckets" / rest if rest and scheme == "gs" else Path(name)


def main(words: Sequence[str]) -> None:
    """Be one of the programs."""
    outside = Path(os.environ["OUTSIDE"])
    with (outside / "calls").open("a", encoding="utf-8") as noted:
        noted.write(json.dumps(list(words)) + "\n")
    said = {"docker": docker, "gcloud": gcloud, "kubectl": kubectl}[words[0]](words[1:], outside)
    print(said, end="\n" if said else "")


if __name__ == "__main__":
    main(sys.argv[1:])
