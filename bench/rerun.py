"""How long a run takes in which nothing has changed, from the end of the imports on.

python -m bench.rerun /path/to/a/workspace 1
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

from pedalflow.long_lived import long_lived
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace


def main(argv: list[str]) -> int:
    """Train again on the workspace and the span given, and print the seconds and the outcome as JSON."""
    silence(verbose=False)
    started = time.perf_counter()
    with long_lived():
        from pipelines.training import Wish, train
    imported = time.perf_counter()
    record = train(Workspace(Path(argv[0])), Wish(int(argv[1])), Progress(io.StringIO()))
    finished = time.perf_counter()
    seconds = {"import_s": imported - started, "rerun_s": finished - imported}
    cached = all(node.cached for node in record.timings)
    print(json.dumps({**seconds, "all_cached": cached, "outcome": record.outcome}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
