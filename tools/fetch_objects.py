"""Fetches uploaded objects of Cloud Storage in their order, each into a numbered folder of its own, so that no name hides another.

python -m tools.fetch_objects --into build/incoming < objects     # one address in a line; a pattern may stand for several files
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_ADDRESS = re.compile(r"(gs|s3)://\S.*")


def addresses(lines: Iterable[str]) -> list[str]:
    """The addresses in their order, each once. Raises ValueError for a line that is none, or where there are none."""
    found = list(dict.fromkeys(line.rstrip("\n") for line in lines if line.strip()))
    bad = [line for line in found if not _ADDRESS.fullmatch(line)]
    if bad or not found:
        raise ValueError(
            f"{bad or 'nothing'} is no address of an object; it looks like gs://bucket/2012-01.csv"
        )
    return found


def fetch(found: Sequence[str], into: Path) -> None:
    """Copy each into `into`/001, 002, and so on. Raises CalledProcessError where gcloud refuses."""
    for number, address in enumerate(found, 1):
        folder = into / f"{number:03}"
        folder.mkdir(parents=True)
        subprocess.run(["gcloud", "storage", "cp", address, f"{folder}/"], check=True)


def main(argv: Sequence[str]) -> int:
    """Fetch what standard input names; 1 where something cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, metavar="DIR")
    asked = parser.parse_args(argv)
    try:
        fetch(addresses(sys.stdin), asked.into)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
