"""`python -m bench NAME|all`: prints the figures that docs/benchmarks.md keeps."""

from __future__ import annotations

import argparse
import importlib
import sys

BENCHMARKS = ("quality", "cost", "scale", "detection", "serving", "serving_soak")


def main(argv: list[str]) -> int:
    """Run one benchmark, or all one after the other; what follows its name goes to it. Returns 1 where any missed a target."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benchmark", choices=(*BENCHMARKS, "all"))
    arguments, rest = parser.parse_known_args(argv)
    chosen = BENCHMARKS if arguments.benchmark == "all" else (arguments.benchmark,)
    return max(importlib.import_module(f"bench.{name}").main(rest) for name in chosen)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
