"""What the platform costs: a first pipeline run against the bare script, and a re-run in which nothing changed.

python -m bench cost
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.child import Measured, measure
from bench.table import table, where_and_when
from pedalflow.command.options import ROOT
from pedalflow.errors import RunFailed
from pedalflow.run_record import RunRecord, from_json
from pedalflow.spans import span_name
from pedalflow.workspace import Workspace

GREATEST_RATIO, GREATEST_RERUN_S = 2.0, 1.0
SAME_RMSE = 0.03  # greatest relative difference: both train the same network, but not with the same bits
FRONT_DOOR, BARE = "pedalflow.command.main", "bench.bare"


@dataclass(frozen=True)
class Pair:
    """One pipeline run and one bare run on the same spans, with what each of them found."""

    pipeline: Measured
    bare: Measured
    record: RunRecord
    bare_scores: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """CPU seconds of the pipeline ÷ those of the bare script."""
        return self.pipeline.cpu_s / self.bare.cpu_s


def first_run(workspace: Workspace, until_span: int) -> Pair:
    """Forget all that earlier runs left in the workspace, then run both, the pipeline first.

    Raises RunFailed where they disagree on the error: then they did not do the same work.
    """
    shutil.rmtree(workspace.state, ignore_errors=True)
    common = ["--workspace", str(workspace.root), "--json"]
    pipeline = measure(FRONT_DOOR, [*common, "train", "--until-span", str(until_span), "--accept-refusal"])
    spans = [str(workspace.spans / span_name(number)) for number in range(1, until_span + 1)]
    bare = measure(BARE, ["--params", str(workspace.params), "--out", str(workspace.root / "bare"), *spans])
    pair = Pair(pipeline, bare, from_json(pipeline.output), json.loads(bare.output)["scores"])
    _check_same_work(pair)
    return pair


def _check_same_work(pair: Pair) -> None:
    record, overall = pair.record, pair.bare_scores["overall"]
    same = {
        "evaluation rows": (record.candidate.rows, overall["rows"], 0.0),
        "RMSE of the naive mean": (record.naive.rmse, overall["naive_rmse"], 1e-6),
        "RMSE": (record.candidate.rmse, overall["rmse"], SAME_RMSE),
    }
    for name, (ours, theirs, tolerance) in same.items():
        if not math.isclose(ours, theirs, rel_tol=tolerance):
            raise RunFailed(
                f"{name}: the pipeline has {ours}, the bare script {theirs}; they did not do the same work"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench cost", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--repeats", type=int, default=3, help="pairs of runs; the middle one counts (default 3)"
    )
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml", help="the parameters of both")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="pedalflow-bench-") as folder:
        workspace = Workspace(Path(folder))
        shutil.copy(arguments.params, workspace.params)
        measure(FRONT_DOOR, ["--workspace", folder, "data", "prepare", "--until-span", "1"])
        pairs = [first_run(workspace, 1) for _ in range(arguments.repeats)]
        rerun = json.loads(measure("bench.rerun", [folder, "1"]).output)
    ratio = median(pair.ratio for pair in pairs)
    print(report(pairs, rerun, ratio))
    return 0 if ratio <= GREATEST_RATIO and rerun["rerun_s"] < GREATEST_RERUN_S and rerun["all_cached"] else 1


def report(pairs: Sequence[Pair], rerun: Mapping[str, Any], ratio: float) -> str:
    """The tables of costs, of errors and of nodes."""
    rows = [
        [f"pair {number}", *(f"{value:.1f}" for value in _figures(pair)), f"{pair.ratio:.2f}"]
        for number, pair in enumerate(pairs, 1)
    ]
    headers = ["", "pipeline CPU s", "bare CPU s", "pipeline wall s", "bare wall s"]
    headers += ["pipeline peak MiB", "bare peak MiB", "CPU ratio"]
    last = pairs[-1]
    nodes = [
        [node.node, *(f"{pair_cpu:.2f}" for pair_cpu in _of_node(pairs, node.node))]
        for node in last.record.timings
    ]
    in_nodes = [sum(node.cpu_s for node in pair.record.timings) for pair in pairs]
    rest = [f"{pair.pipeline.cpu_s - inside:.2f}" for pair, inside in zip(pairs, in_nodes, strict=True)]
    return "\n".join(
        [
            where_and_when("python -m bench cost"),
            "",
            table(headers, rows),
            "",
            f"CPU ratio, median: {ratio:.2f} (target: at most {GREATEST_RATIO}). "
            f"RMSE {last.record.candidate.rmse:.2f} from the pipeline, {last.bare_scores['overall']['rmse']:.2f} from the script.",
            f"Re-run with nothing changed: {rerun['rerun_s']:.2f} s after {rerun['import_s']:.1f} s of imports "
            f"(target: under {GREATEST_RERUN_S:.0f} s), {'every node' if rerun['all_cached'] else 'NOT every node'} from the cache.",
            "",
            table(["CPU s of a node", *(f"pair {n}" for n in range(1, len(pairs) + 1))], nodes),
            f"| imports, registry, report, exit | {' | '.join(rest)} |",
        ]
    )


def _figures(pair: Pair) -> tuple[float, ...]:
    ours, theirs = pair.pipeline, pair.bare
    return ours.cpu_s, theirs.cpu_s, ours.wall_s, theirs.wall_s, ours.peak_mib, theirs.peak_mib


def _of_node(pairs: Sequence[Pair], name: str) -> list[float]:
    return [node.cpu_s for pair in pairs for node in pair.record.timings if node.node == name]


if __name__ == "__main__":
    sys.exit(main())
