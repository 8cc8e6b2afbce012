"""One field of a JSON file, for steps of workflows, which have no logic of their own.

python -m tools.json_field build/deployed.json version_id
python -m tools.json_field rollout.json outcome --must-be promoted
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path


def field(path: Path, name: str) -> str:
    """The text of a field. Raises ValueError where there is none."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get(name), str):
        raise ValueError(f"{path} has no text in a field {name!r}; look at the step that wrote it")
    return str(content[name])


def main(argv: Sequence[str]) -> int:
    """Print the field; 1 where it is not there, or not what it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("field", metavar="FIELD")
    parser.add_argument("--must-be", metavar="VALUE", help="fail unless the field has this value")
    asked = parser.parse_args(argv)
    try:
        value = field(asked.file, asked.field)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(value)
    if asked.must_be not in (None, value):
        print(f"{asked.field} is {value!r} and not {asked.must_be!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
