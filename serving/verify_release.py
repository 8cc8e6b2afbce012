"""Whether a folder holds the release that it should: `python -m serving.verify_release FOLDER --name r-… --checksum SHA256`.

An init container runs it on what was fetched, so that no server starts on a release that is broken, half there, or another one. It says
one sentence and ends with 0, with 7 where the release is not as it should be, and with 2 where the command line is wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from pedalflow.command.outermost import outermost
from pedalflow.errors import ReleaseBroken
from pedalflow.release import Release, open_release

_NAME, _CHECKSUM = re.compile(r"r-[0-9a-f]{12}"), re.compile(r"[0-9a-f]{64}")


def verified(folder: Path, name: str, checksum: str) -> Release:
    """The release that the folder holds, every file of it checked.

    Raises:
        ReleaseBroken: a file is missing, changed or too many, or it is another release than the one that was named.
    """
    try:
        release = open_release(folder)
    except OSError as error:
        raise ReleaseBroken(f"{folder} cannot be read ({error}); fetch the release again") from error
    if release.name != name:
        raise ReleaseBroken(
            f"{folder} should hold the release {name}, but holds {release.name}; look at its address"
        )
    if release.checksum != checksum:
        raise ReleaseBroken(
            f"{folder} should hold the release with the checksum {checksum}, but holds {release.checksum}; look at its address"
        )
    return release


def main(argv: list[str]) -> int:
    """Verify the release that the arguments name; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serving.verify_release", allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the release was fetched to")
    parser.add_argument(
        "--name", type=_name, required=True, metavar="r-…", help="the release that it must be"
    )
    parser.add_argument(
        "--checksum", type=_checksum, required=True, metavar="SHA256", help="the sha256 of its manifest"
    )
    arguments = parser.parse_args(argv)
    release = verified(arguments.folder, arguments.name, arguments.checksum)
    print(f"{release.folder} holds {release.name}, whole and unchanged")
    return 0


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a release, which is r- and 12 hex digits")
    return text


def _checksum(text: str) -> str:
    if not _CHECKSUM.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no sha256, which has 64 hex digits")
    return text


if __name__ == "__main__":
    sys.exit(outermost(main))
