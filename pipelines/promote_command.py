"""What `pedalflow promote` does: a challenger becomes the champion, and whoever serves takes it up."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace


def main(argv: list[str]) -> int:
    """Run `pedalflow promote` with the given arguments; returns the exit code."""
    arguments = options.parse("promote", argv)
    silence(verbose=arguments.verbose)
    progress = Progress(sys.stderr)
    with progress.step(f"promoting {arguments.release}"):
        from pipelines.promotion import promote_release  # MLflow takes a second to import

        promotion = promote_release(Workspace(arguments.workspace), arguments.release)
    if arguments.json:
        print(json.dumps(asdict(promotion)))
    elif promotion.before == promotion.release:
        print(f"{promotion.release} (version {promotion.version}) serves already")
    else:
        print(
            f"{promotion.release} (version {promotion.version}) serves now, before it {promotion.before or 'nobody'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(outermost(main))
