"""The stand-in for Kubeflow Pipelines as a process of its own, for tests in an environment whose `kfp_server_api` is an older one.

It prints its address and serves until its standard input ends. Each line that it reads there is JSON with what is to change, such as
`{"failures": [503]}` or `{"state": ["run-7", "FAILED", {}]}`; it answers each with a line of all that it holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HELD = ("pipelines", "versions", "experiments", "runs", "recurring_runs", "failures")
Thing = dict[str, Any]


@dataclass(frozen=True)
class KfpProcess:
    """The process, as its tests see it."""

    address: str
    process: subprocess.Popen[str]

    def tell(self, **changes: Any) -> Thing:
        """Change it, and see all that it holds."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(changes) + "\n")
        self.process.stdin.flush()
        held: Thing = json.loads(self.process.stdout.readline())
        return held


@contextmanager
def kfp_process(python: Path, *certificate: Path) -> Iterator[KfpProcess]:
    """Serve on a port of its own; over TLS where the folder for a certificate is given."""
    process = subprocess.Popen(
        [str(python), "-m", "tests.samples.kfp_api_process", *map(str, certificate)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout
            yield KfpProcess(process.stdout.readline().strip(), process)
        finally:
            process.kill()


def main(folders: list[str]) -> None:
    """Serve until the standard input ends."""
    from tests.samples.certificates import self_made
    from tests.samples.kfp_api_stand_in import KfpApi, kfp_api

    made = self_made(Path(folders[0])) if folders else None
    with kfp_api(KfpApi(), made.server if made else None) as api:
        print(api.address, flush=True)
        for line in sys.stdin:
            changes = json.loads(line)
            if state := changes.pop("state", None):
                api.set_state(state[0], state[1], **state[2])
            for name, value in changes.items():
                setattr(api, name, value)
            print(json.dumps({name: getattr(api, name) for name in HELD}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
