"""The programs that the docs call and that run here in part or not at all (`programs.py` says why); each call is noted.

DOCS_PLACE=FOLDER python stand_ins.py kubectl apply -k k8s/overlays/local
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests.samples import outside_programs  # noqa: E402
from tests.samples.outside_programs import KUBECTL  # noqa: E402

UV = ROOT / ".venv" / "uv" / "bin" / "uv"  # there unless the machine has one of its own
NOBODY = "127.0.0.1:1"  # nobody listens there
LOCAL = "k8s/base/namespaces"
MAKES = ("secret", "configmap", "namespace", "token")


def make(words: Sequence[str]) -> str:
    """Looks whether there are such targets; images are built as far as that goes with a stand-in for the engine."""
    _run([_real("make"), "--dry-run", *words])
    pushed = [word.partition("=")[2] for word in words if word.startswith("PUSH=")]
    return _run([sys.executable, "tools/images.py", "build", "--push", *pushed]) if pushed else ""


def pip(words: Sequence[str]) -> str:
    """`pip install WHEEL`, into the folder that PYTHONPATH names; what a wheel needs is in the environment."""
    command, *wheels = words
    assert command == "install", f"the stand-in for pip knows no {command}"
    target = ["--target", os.environ["PYTHONPATH"], "--python", sys.executable]
    uv = str(UV) if UV.exists() else _real("uv")
    return _run([uv, "pip", "install", "--quiet", "--no-deps", "--offline", *target, *wheels])


def kubectl(words: Sequence[str]) -> str:
    """Manifests and objects are made for real; whatever has to speak to a cluster is read by kubectl, down to its last option."""
    given = sys.stdin.read() if list(words[-2:]) == ["-f", "-"] else ""
    match _without_namespace(words):
        case ["kustomize", _]:
            return _run([str(KUBECTL), *words])
        case ["create", kind, *_] if kind in MAKES and "--dry-run=client" in words:
            return _run([str(KUBECTL), *words])
        case ["create", kind, *_] if kind in MAKES[:-1]:
            return _run([str(KUBECTL), *words, "--dry-run=client"])
        case ["exec", _, "--", *command]:
            return _run_in_pod(command)
        case ["apply", *_]:
            _check_objects(words, given)
    _check_arguments(words, given)
    return _held(words)


def gcloud(words: Sequence[str]) -> str:
    """Copies objects of buckets, and has a token; the rest is noted."""
    if words[:2] == ["auth", "print-identity-token"]:
        return "a-token-of-the-stand-in"
    return outside_programs.gcloud(words, _outside()) if words[:2] == ["storage", "cp"] else ""


def docker(words: Sequence[str]) -> str:
    """Builds images that are empty; `run` is noted."""
    return "" if words[0] == "run" else outside_programs.docker(words, _outside())


def noted(words: Sequence[str]) -> str:
    """Nothing happens."""
    return ""


def _without_namespace(words: Sequence[str]) -> list[str]:
    return list(words[2:] if words[0] == "-n" else words)


def _check_objects(words: Sequence[str], given: str) -> None:
    """What is applied renders, and every document of it is an object."""
    where = words[words.index("-k") + 1] if "-k" in words else words[words.index("-f") + 1]
    if _is_fetched(where):
        return
    text = given if where == "-" else ""
    text = (
        text or _run([str(KUBECTL), "kustomize", where]) if "-k" in words else text or Path(where).read_text()
    )
    objects = [one for one in yaml.safe_load_all(text) if one]
    if not objects or not all({"apiVersion", "kind", "metadata"} <= set(one) for one in objects):
        raise SystemExit(f"{where} holds no objects to apply")


def _is_fetched(where: str) -> bool:
    """Whether a folder of manifests lies elsewhere, or says that its parts do."""
    listed = Path(where, "kustomization.yaml")
    return where.startswith("github.com/") or (
        listed.is_file() and "- https://" in listed.read_text(encoding="utf-8")
    )


def _check_arguments(words: Sequence[str], given: str) -> None:
    """The real kubectl takes them: it gets as far as looking for its cluster."""
    local = [LOCAL if _is_fetched(word) else word for word in words]
    config = _place() / f"kubeconfig-of-nobody-{os.getpid()}"  # two may be at work at the same time
    cluster = {"name": "c", "cluster": {"server": f"http://{NOBODY}"}}
    context = {"name": "x", "context": {"cluster": "c"}}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [cluster],
        "contexts": [context],
    }
    config.write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(
        [str(KUBECTL), *local],
        env={**os.environ, "KUBECONFIG": str(config)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0 and NOBODY not in done.stderr:
        raise SystemExit(f"kubectl {' '.join(words)}: {done.stderr}")


def _held(words: Sequence[str]) -> str:
    """A key of a secret, as the service that runs here has it; nothing for other questions."""
    asked = re.search(r"get secret triggers-secrets -o jsonpath=\{\.data\.(\w+)\}", " ".join(words))
    if not asked:
        return ""
    token = Path("state/triggers/secrets", asked[1]).read_bytes()
    return base64.b64encode(token).decode()


def _run_in_pod(command: Sequence[str]) -> str:
    """What would run in a pod runs here: its volumes are folders of the workspace."""
    release = json.loads(Path("state/serving/champion.json").read_text(encoding="utf-8"))
    places = {
        "/var/lib/pedalflow": "state/serving",
        "/mnt/release": str(Path("state/releases", release["release"])),
        "/tmp": str(_place()),
    }
    here = [_replaced(word, places) for word in command]
    return _run(here)


def _replaced(word: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        word = word.replace(there, here)
    return word


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=_surroundings())
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def _real(program: str) -> str:
    """The program itself, where a stand-in of the same name comes first on PATH."""
    found = shutil.which(program, path=os.environ["DOCS_USUAL_PATH"])
    if found is None:
        raise SystemExit(f"there is no {program} on this machine: apt-get install {program}")
    return found


def _surroundings() -> dict[str, str]:
    """The stand-ins go first also in what a stand-in starts."""
    return {**os.environ, "PATH": f"{os.environ['PATH']}{os.pathsep}{os.environ['DOCS_USUAL_PATH']}"}


def _place() -> Path:
    return Path(os.environ["DOCS_PLACE"])


def _outside() -> Path:
    return _place() / "outside"


PARTLY = {"make": make, "pip": pip, "kubectl": kubectl, "gcloud": gcloud, "docker": docker}


def main(words: Sequence[str]) -> None:
    """Be one of the programs."""
    with (_place() / "calls").open("a", encoding="utf-8") as file:
        file.write(json.dumps(list(words)) + "\n")
    said = PARTLY.get(words[0], noted)(list(words[1:]))
    print(said, end="\n" if said and not said.endswith("\n") else "")


if __name__ == "__main__":
    main(sys.argv[1:])
