"""How cost grows with rows: pipeline ÷ bare script on the real hours, and on 10 and 100 times as many, by jittered copies.

Training is made small so that it hides nothing: the production network passes over the rows once instead of as often as
`params.yaml` says, for the pipeline and the script alike; `--passes 30` shows the ratio of production. The gates are opened, so that
every node of the pipeline has its work.

    python -m bench scale [--passes N] [--factors 1 10 100]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from bench.child import measure
from bench.cost import FRONT_DOOR, Pair, first_run
from bench.table import table, where_and_when
from pedalflow.command.options import ROOT
from pedalflow.spans import Span
from pedalflow.workspace import Workspace
from pipelines.arrivals.store import list_spans, md5_of

FACTORS = (1, 10, 100)
GREATEST_RATIO, GREATEST_PEAK_MIB = 3.0, 4096.0
NEWEST_SPAN = 13
SEED = 20110101
WEATHER = ("temp", "atemp", "hum", "windspeed")
JITTER = 0.01  # standard deviation that is added to the weather, whose columns go from 0 to 1
OPEN_GATES = {
    "maximum_wape": 1e6,
    "minimum_skill": -1e6,
    "slice_maximum_ratio": 1e6,
    "champion_tolerance": 1e6,
    "champion_slice_tolerance": 1e6,
}


def grow(workspace: Workspace, factor: int) -> None:
    """Put `factor - 1` jittered copies behind the rows of every span, and tell the pointers.

    It goes around the checks of arriving data, which refuse an hour that is known already.
    """
    generator = np.random.default_rng(SEED)
    for span in list_spans(workspace):
        rows = pd.read_csv(span.path)
        copies = [rows, *(jittered(rows, generator) for _ in range(factor - 1))]
        content = pd.concat(copies, ignore_index=True).to_csv(index=False).encode()
        Path(span.path).write_bytes(content)
        _tell_pointer(span, content, factor * len(rows))


def jittered(rows: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """The same hours with weather a little off, inside its range, and with other counts of the same mean."""
    weather = (
        (rows[list(WEATHER)] + generator.normal(0.0, JITTER, (len(rows), len(WEATHER))))
        .clip(0.0, 1.0)
        .round(4)
    )
    counts = {name: generator.poisson(rows[name]) for name in ("casual", "registered")}
    return rows.assign(**weather, **counts, cnt=counts["casual"] + counts["registered"])


def _tell_pointer(span: Span, content: bytes, count: int) -> None:
    path = Path(f"{span.path}.dvc")
    pointer = yaml.safe_load(path.read_text(encoding="utf-8"))
    pointer["outs"][0] |= {"md5": md5_of(content), "size": len(content)}
    pointer["meta"]["rows"] = count
    path.write_text(yaml.safe_dump(pointer), encoding="utf-8")


def opened(params: Path, passes: int) -> str:
    """The production parameters with `passes` epochs and open gates."""
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    content["model"]["epochs"] = passes
    content["gates"] |= OPEN_GATES
    return yaml.safe_dump(content)


def run(factor: int, params: Path, passes: int) -> Pair:
    """Pipeline and bare script on `factor` times the real hours, in a workspace that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pedalflow-bench-") as folder:
        workspace = Workspace(Path(folder))
        workspace.params.write_text(opened(params, passes), encoding="utf-8")
        measure(FRONT_DOOR, ["--workspace", folder, "data", "prepare", "--until-span", str(NEWEST_SPAN)])
        shutil.rmtree(workspace.state, ignore_errors=True)
        grow(workspace, factor)
        return first_run(workspace, NEWEST_SPAN)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--factors", type=int, nargs="+", default=list(FACTORS), help="how many times the real rows"
    )
    parser.add_argument(
        "--params", type=Path, default=ROOT / "params.yaml", help="the parameters whose gates are opened"
    )
    parser.add_argument(
        "--passes", type=int, default=1, help="passes of training over the rows, on both sides (default: 1)"
    )
    arguments = parser.parse_args(argv)
    pairs = {factor: run(factor, arguments.params, arguments.passes) for factor in arguments.factors}
    print(report(pairs, arguments.passes))
    return 1 if any(missed(factor, pair) for factor, pair in pairs.items()) else 0


def missed(factor: int, pair: Pair) -> bool:
    """Whether a target was missed; at the real size the cost benchmark is the judge."""
    return factor > 1 and (pair.ratio > GREATEST_RATIO or pair.pipeline.peak_mib > GREATEST_PEAK_MIB)


def report(pairs: dict[int, Pair], passes: int) -> str:
    """The table of sizes and the table of nodes."""
    rows = []
    for factor, pair in pairs.items():
        count = pair.record.train_rows + pair.record.evaluation_rows
        ours, theirs = pair.pipeline, pair.bare
        cells = [
            f"{ours.cpu_s:.1f}",
            f"{theirs.cpu_s:.1f}",
            f"{pair.ratio:.2f}",
            f"{ours.wall_s:.0f}",
            f"{theirs.wall_s:.0f}",
        ]
        cells += [f"{ours.peak_mib:.0f}", f"{theirs.peak_mib:.0f}"]
        rows.append(
            [
                f"×{factor}",
                f"{count:,}",
                *cells,
                "missed" if missed(factor, pair) else "met" if factor > 1 else "-",
            ]
        )
    headers = ["", "rows", "pipeline CPU s", "bare CPU s", "CPU ratio", "pipeline wall s", "bare wall s"]
    headers += ["pipeline peak MiB", "bare peak MiB", "target"]
    names = [node.node for node in next(iter(pairs.values())).record.timings]
    nodes = [[name, *(_of_node(pair, name) for pair in pairs.values())] for name in names]
    return "\n".join(
        [
            where_and_when(f"python -m bench scale --passes {passes}"),
            "",
            table(headers, rows),
            "",
            f"Target: a CPU ratio of at most {GREATEST_RATIO:g} at ×10 and ×100, and a peak under {GREATEST_PEAK_MIB:.0f} MiB.",
            f"Both sides train the production network in batches of the production size; passes over the rows: {passes}.",
            "",
            table(["CPU s of a node", *(f"×{factor}" for factor in pairs)], nodes),
        ]
    )


def _of_node(pair: Pair, name: str) -> str:
    return f"{sum(node.cpu_s for node in pair.record.timings if node.node == name):.2f}"


if __name__ == "__main__":
    sys.exit(main())
