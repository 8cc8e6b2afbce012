"""How the detectors do on this data, beside what others would use: false alarms, detections, days to a changed concept, cost.

.venv/serving/bin/python -m bench.detection [--release FOLDER] [--quick]

Needs a release whose model was trained on 2011 alone, such as `make run` leaves behind. evidently runs in the peers' environment.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.detection_concept import concept_table
from bench.detection_model import OnnxModel
from bench.detection_peers import PEERS_PYTHON, Array, Evidently, Verdict, alibi_ks, plain_ks, psi
from bench.detection_rows import outlier_table, screening_table
from bench.detection_windows import LAYOUT, Change, Frame, Protocol, changes, columns, protocols, read_hours
from bench.table import table, where_and_when
from detectors.contributions import contributions
from detectors.drift import DriftReference, fit_drift, judge_window
from detectors.fitting import FittingSettings, fit_detectors
from detectors.outliers import OutlierJudge
from detectors.stored import Detectors, write_detectors
from pedalflow.errors import DataMissing
from pedalflow.release import MANIFEST, ONNX_MODEL

ROOT = Path(__file__).resolve().parents[1]
EVALUATION_DAYS = 14
SIDE_BY_SIDE_STEP = 5  # evidently takes 0.3 s a window: every fifth is compared
LONG_WINDOW = 500
PEERS: dict[str, Verdict] = {
    "KS, p < 0.05 ÷ 4": plain_ks,
    "PSI > 0.2": psi,
    "alibi-detect KSDrift, defaults": alibi_ks,
}
MUST_FIND = ("stuck sensor (each of 4)", "°F for °C", "% for share", "temp ± 0.5 σ")
LATEST_CONCEPT_DAY = 14
SETTINGS = FittingSettings()


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench detection", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--release", type=Path, help="a release trained on 2011 alone (default: the newest found)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="without evidently and without windows of 500 rows"
    )
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    hours = read_hours()
    model = OnnxModel((arguments.release or first_year_release()) / ONNX_MODEL)
    print(where_and_when("python -m bench detection"), end="\n\n")
    weeks = protocols(hours, SETTINGS.window_rows)
    compared = compared_windows(hours, weeks)
    evidently = None if arguments.quick else start_evidently(compared)
    fits = {protocol.name: our_fits(protocol, SETTINGS.window_rows) for protocol in weeks}
    ours, reached = our_windows(hours, weeks, fits)
    print(f"Windows of {SETTINGS.window_rows} rows, ours: how many of them alarm.\n\n{ours}\n")
    if not arguments.quick:
        long = protocols(hours, LONG_WINDOW)
        of_long = {protocol.name: our_fits(protocol, LONG_WINDOW) for protocol in long}
        print(f"Windows of {LONG_WINDOW} rows, ours.\n\n{our_windows(hours, long, of_long)[0]}\n")
    print(f"Side by side, every fifth window.\n\n{side_by_side(compared, fits, evidently)}\n")
    detectors, seconds = fitted(hours, model)
    text, days = concept_table(hours, model, detectors, EVALUATION_DAYS)
    print(f"{text}\n")
    print(
        f"{outlier_table(hours, SETTINGS.outlier_flag_rate)}\n\n{screening_table(hours, model, detectors)}\n"
    )
    print(cost_table(hours, model, detectors, seconds))
    return 0 if reached and days is not None and days <= LATEST_CONCEPT_DAY else 1


def first_year_release() -> Path:
    """The newest release below the repository whose model was trained on span 1 only. Raises DataMissing."""
    found = []
    for manifest in ROOT.glob("*/releases/*/" + MANIFEST), ROOT.glob("*/state/releases/*/" + MANIFEST):
        for path in manifest:
            facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
            if [span["number"] for span in facts["spans"]] == [1]:
                found.append((path.stat().st_mtime, path.parent))
    if not found:
        raise DataMissing(
            "no release of span 1 alone was found; run `make run` first or name one by --release"
        )
    return max(found)[1]


def numbers(rows: Frame) -> Array:
    """The numbers of rows, float64[rows, 4]."""
    return rows[list(LAYOUT.numbers)].to_numpy(np.float64)


def our_fits(protocol: Protocol, size: int) -> list[DriftReference]:
    """Ours on each history of a protocol."""
    rate = SETTINGS.drift_false_alarm_rate
    return [fit_drift(columns(history), LAYOUT, size, rate) for history in protocol.histories]


def our_windows(
    hours: Frame, compared: Sequence[Protocol], fits: Mapping[str, Sequence[DriftReference]]
) -> tuple[str, bool]:
    """The table of ours, and whether false alarms and detections reach the targets."""
    ways = {"nothing changed": (_unchanged,), **changes(hours)}
    rows, reached = [], True
    for protocol in compared:
        counts = {name: _alarms(protocol, fits[protocol.name], each) for name, each in ways.items()}
        rows.append([protocol.name, *(f"{hits}/{of}" for hits, of in counts.values())])
        alarms, of = counts["nothing changed"]
        reached &= alarms <= SETTINGS.drift_false_alarm_rate * of
        reached &= all(counts[name][0] == counts[name][1] for name in MUST_FIND)
    return table(["", *ways], rows), reached


def _unchanged(rows: Frame) -> Frame:
    return rows


def _alarms(protocol: Protocol, fits: Sequence[DriftReference], ways: Sequence[Change]) -> tuple[int, int]:
    """Windows that alarm, and all of them, where each is changed in every way."""
    found = [
        judge_window(fits[window.reference], columns(way(window.rows))).is_drift
        for window in protocol.windows
        for way in ways
    ]
    return sum(found), len(found)


@dataclass(frozen=True)
class Compared:
    """One window of the side-by-side table: what was done to it, whose history it is judged against, and its rows."""

    what: str
    protocol: Protocol
    reference: int
    rows: Frame


def compared_windows(hours: Frame, weeks: Sequence[Protocol]) -> list[Compared]:
    """Every fifth unchanged week of each protocol, then those of 2012 with each change; of several signs or sensors the first."""
    chosen = [(protocol, w) for protocol in weeks for w in protocol.windows[::SIDE_BY_SIDE_STEP]]
    found = [Compared(f"nothing, {protocol.name}", protocol, w.reference, w.rows) for protocol, w in chosen]
    last = [(protocol, w) for protocol, w in chosen if protocol is weeks[-1]]
    for name, ways in changes(hours).items():
        found.extend(Compared(name, protocol, w.reference, ways[0](w.rows)) for protocol, w in last)
    return found


def start_evidently(compared: Sequence[Compared]) -> Evidently:
    """Begin evidently's work, which takes a minute beside ours. Raises DataMissing without its environment."""
    if not PEERS_PYTHON.exists():
        raise DataMissing(f"{PEERS_PYTHON} is missing; set up the peers' environment, or use --quick")
    keys = list(dict.fromkeys((one.protocol.name, one.reference) for one in compared))
    histories = {(one.protocol.name, one.reference): _history(one) for one in compared}
    windows = [(keys.index((one.protocol.name, one.reference)), numbers(one.rows)) for one in compared]
    return Evidently(LAYOUT.numbers, [histories[key] for key in keys], windows)


def _history(one: Compared) -> Array:
    return numbers(one.protocol.histories[one.reference])


def side_by_side(
    compared: Sequence[Compared], fits: Mapping[str, Sequence[DriftReference]], evidently: Evidently | None
) -> str:
    """How many windows of each kind every detector alarms for."""
    verdicts = {
        name: [judge(_history(one), numbers(one.rows)) for one in compared] for name, judge in PEERS.items()
    }
    if evidently is not None:
        verdicts["evidently, defaults"] = evidently.verdicts().tolist()
    verdicts["ours"] = [
        judge_window(fits[one.protocol.name][one.reference], columns(one.rows)).is_drift for one in compared
    ]
    kinds = list(dict.fromkeys(one.what for one in compared))
    rows = []
    for name, found in verdicts.items():
        by_kind = {kind: [v for v, one in zip(found, compared) if one.what == kind] for kind in kinds}
        rows.append([name, *(f"{sum(by_kind[kind])}/{len(by_kind[kind])}" for kind in kinds)])
    return table(["", *kinds], rows)


def fitted(hours: Frame, model: OnnxModel) -> tuple[Detectors, float]:
    """All detectors as a release of 2011 has them, and the CPU seconds that it took."""
    year = hours[hours["yr"] == 0]
    last = year["dteday"].max() - EVALUATION_DAYS
    train, evaluation = year[year["dteday"] <= last], year[year["dteday"] > last]
    labels = [part["cnt"].to_numpy(np.float64) for part in (train, evaluation)]
    begin = time.process_time()
    detectors = fit_detectors(
        columns(train), labels[0], columns(evaluation), labels[1], model, LAYOUT, SETTINGS
    )
    return detectors, time.process_time() - begin


def cost_table(hours: Frame, model: OnnxModel, detectors: Detectors, fit_seconds: float) -> str:
    """CPU time of each detector, and the size of what a release carries."""
    year = hours[hours["yr"] == 1]
    rows, week = columns(year), columns(year.iloc[:168])
    records = [dict(zip(rows, values)) for values in zip(*(rows[name][:2000].tolist() for name in rows))]
    judge = OutlierJudge(detectors.outliers)
    one = {name: values[5000:5001] for name, values in rows.items()}
    batch = {name: values[:64] for name, values in rows.items()}
    with tempfile.TemporaryDirectory() as folder:
        write_detectors(Path(folder), detectors)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1024
    figures = [
        ["fit all detectors", f"{fit_seconds:.2f} s"],
        [
            "outliers, one row",
            f"{1e6 * _cpu(lambda: [judge.row(r) for r in records], 3) / len(records):.1f} µs",
        ],
        ["outliers, 64 rows", f"{1e6 * _cpu(lambda: judge.rows(batch), 200):.0f} µs"],
        ["one window of drift", f"{1e3 * _cpu(lambda: judge_window(detectors.drift, week), 50):.1f} ms"],
        [
            f"contributions, {len(LAYOUT.features)} features, {SETTINGS.background_rows} background rows",
            f"{_cpu(lambda: contributions(model, one, detectors.background, LAYOUT.features), 3):.2f} s",
        ],
        ["size in the release", f"{size:.0f} KiB"],
    ]
    return table(["what", "CPU time or size"], figures)


def _cpu(work: object, times: int) -> float:
    assert callable(work)
    begin = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begin) / times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
