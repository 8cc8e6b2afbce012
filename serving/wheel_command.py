"""What `pedalflow wheel` does: writes a release as a wheel."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import SettingsError
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.whole_files import write_whole
from pedalflow.workspace import Workspace
from serving.release_wheel import Wheel, build_wheel, check_name
from serving.served import load_served


def main(argv: list[str]) -> int:
    """Run `pedalflow wheel` with the given arguments; returns the exit code."""
    arguments = options.parse("wheel", argv)
    silence(verbose=arguments.verbose)
    if arguments.name:
        check_name(arguments.name)
    progress = Progress(sys.stderr)
    with progress.step("checking the release"):
        release = load_served(arguments.release or Workspace(arguments.workspace).champion).release
    wheel = build_wheel(release, arguments.name)
    path = write_wheel(wheel, arguments.output)
    written = {
        "wheel": str(path),
        "package": wheel.package,
        "version": wheel.version,
        "release": release.name,
        "sha256": hashlib.sha256(wheel.content).hexdigest(),
    }
    print(json.dumps(written, indent=2) if arguments.json else _as_text(written))
    return 0


def write_wheel(wheel: Wheel, folder: Path) -> Path:
    """The wheel as a file in `folder`, which is made where it is missing. Raises SettingsError where that cannot be."""
    path = folder.expanduser() / wheel.filename
    try:
        write_whole(path, wheel.content)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error}); give another folder with --output"
        ) from error
    return path


def _as_text(written: dict[str, str]) -> str:
    return (
        f"{written['wheel']}\nsha256 {written['sha256']}\n\n"
        f"pip install {written['wheel']}\npython -c 'from {written['package']} import release; print(release())'"
    )


if __name__ == "__main__":
    sys.exit(outermost(main))
