"""`python -m bench.quality`: how good the model is, side by side with trees that get the same rows and growth
rule.

Every choice - settings, epochs, growth rate - uses only rows from before the test period. docs/model.md
explains the rows.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_USE_LEGACY_KERAS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
}
DATA = Path(__file__).parents[1] / "data" / "raw" / "hour.csv.gz"
AGAINST_TREES, AGAINST_STAYING = 1.05, 0.6
QUICK = {"members": 1, "epochs": 4}
QUICK_LAST_MONTH = 15
TOLERANCES = (0.0, 0.02, 0.05, 0.1)
DEFAULT_TOLERANCE = 0.02  # as gates.champion_tolerance in params.yaml
ROLLING = "monthly retraining over 2012"


@dataclass(frozen=True)
class Figure:
    """One measured RMSE; `limit` is the highest that reaches the goal, None where there is no goal."""

    protocol: str
    name: str
    rmse: float
    limit: float | None = None

    @property
    def verdict(self) -> str:
        """Empty without a goal, otherwise whether it was reached."""
        if self.limit is None:
            return ""
        return "reached" if self.rmse <= self.limit else "MISSED"


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON with `--json`; the exit code is 1 where a full run missed a goal."""
    options = _parser().parse_args(arguments)
    os.environ.update(ONE_THREAD)
    warnings.simplefilter("ignore", FutureWarning)  # google.api_core on Python 3.10 warns at every import
    report = run(options.data, options.quick, options.tolerance)
    print(json.dumps(report, indent=2) if options.json else _as_text(report))
    missed = any(figure["verdict"] == "MISSED" for figure in report["figures"])
    return 1 if missed and not options.quick else 0


def run(data: Path, quick: bool, tolerance: float) -> dict[str, Any]:
    """Measure everything. `quick` only shows that it works: a short training and the first months."""
    from bench.features import read_hours

    hours = read_hours(data)
    bench = Bench(hours, quick)
    started = time.process_time()
    figures = [*bench.one_year(), *bench.half_year()]
    rolling_figures, months = bench.rolling(tolerance)
    return {
        "command": "python -m bench quality" + (" --quick" if quick else ""),
        "date": datetime.date.today().isoformat(),
        "machine": _machine(),
        "quick": quick,
        "tolerance": tolerance,
        "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in [*figures, *rolling_figures]],
        "months": months,
        "notes": bench.notes,
        "cpu_seconds": round(time.process_time() - started, 1),
        "cpu_seconds_for_each_training": [round(seconds, 1) for seconds in bench.training_seconds],
    }


class Bench:
    """The protocols with both families of models; keeps what was chosen on the way as notes."""

    def __init__(self, hours: Any, quick: bool) -> None:
        from bench import peers, protocols
        from bikeshare.network import Hyperparameters

        self.hours, self.quick = hours, quick
        self.peers, self.protocols = peers, protocols
        self.hyperparameters = Hyperparameters.from_mapping(QUICK if quick else {})
        self.grid = peers.GRID[:2] if quick else peers.GRID
        self.notes: list[str] = []
        self.training_seconds: list[float] = []

    def one_year(self) -> list[Figure]:
        """Train 2011, test 2012: no growth term, because one year cannot tell it from season."""
        train, test = self.protocols.first_year(self.hours)
        return self._compare("2011 -> 2012", train, test)

    def half_year(self) -> list[Figure]:
        """Train to June 2012, test July to December 2012."""
        train, test = self.protocols.half_year(self.hours)
        return self._compare("to June 2012 -> July-December", train, test)

    def rolling(self, tolerance: float) -> tuple[list[Figure], list[dict[str, Any]]]:
        """Retrain before every month of 2012 by the deployed protocol, without the gate and with it."""
        protocols, pooled = self.protocols, self.protocols.pooled
        last_month = QUICK_LAST_MONTH if self.quick else protocols.LAST_MONTH
        networks = protocols.fit_each_month(self.hours, self.fit_network, last_month)
        trees = protocols.fit_each_month(self.hours, self.fit_trees, last_month)
        ours, theirs = (protocols.play(self.hours, models, tolerance) for models in (networks, trees))
        staying = pooled(ours, lambda month: month.first)
        figures = [
            Figure(ROLLING, "trees, never retrained", pooled(theirs, lambda month: month.first)),
            Figure(ROLLING, "network, never retrained", staying),
            *_pair(
                ROLLING,
                "retrained",
                [pooled(x, lambda month: month.candidate) for x in (theirs, ours)],
                staying,
            ),
            *_pair(
                ROLLING, "gated", [pooled(x, lambda month: month.served) for x in (theirs, ours)], staying
            ),
            *self._refitted(last_month, staying),
        ]
        for other in sorted({tolerance, *TOLERANCES}):
            self._note_gate(protocols.play(self.hours, networks, other), other)
        return figures, [_month_record(*pair) for pair in zip(ours, theirs, strict=True)]

    def _refitted(self, last_month: int, staying: float) -> list[Figure]:
        """What the 14 evaluation days would add if the product trained on them too, once the gate has had
        them.
        """
        errors = []
        for fit in (self.fit_trees, self.fit_network):
            models = self.protocols.fit_each_month(self.hours, fit, last_month, refit=True)
            played = self.protocols.play(self.hours, models, 0.0)
            errors.append(self.protocols.pooled(played, lambda month: month.candidate))
        return _pair(ROLLING, "retrained, evaluation days included", errors, staying)

    def fit_network(self, train: Any) -> Callable[[Any], Any]:
        """Train the product's network on `train` with its growth rule."""
        from bench.features import fit_scaling, network_features
        from bikeshare import network

        started = time.process_time()
        network.seed_everything(self.hyperparameters)
        model = network.build(self.hyperparameters, self.growth(train))
        scaling = fit_scaling(train)
        network.fit(model, network_features(train, scaling), train["cnt"].to_numpy(), self.hyperparameters)
        self.training_seconds.append(time.process_time() - started)

        def predict(rows: Any) -> Any:
            return model(network_features(rows, scaling)).numpy()[:, 0].astype("float64")

        return predict

    def fit_trees(self, train: Any) -> Callable[[Any], Any]:
        """Tune LightGBM inside `train`, then train it with the same growth rate."""
        rate = self.growth(train)
        settings = self.peers.tune_trees(train, rate, self.grid)
        return self.peers.fit_trees(train, rate, settings)

    def growth(self, train: Any) -> float:
        """The growth rate that the training rows can identify."""
        from bikeshare.growth import COVARIATES, estimate

        return estimate(train["day"], {name: train[name] for name in COVARIATES}, train["cnt"]).rate

    def _compare(self, protocol: str, train: Any, test: Any) -> list[Figure]:
        rate, error = self.growth(train), self.peers.rmse
        grid = {settings: self.peers.fit_trees(train, rate, settings)(test) for settings in self.grid}
        chosen = self.peers.tune_trees(train, rate, self.grid)
        hindsight = min(error(test, prediction) for prediction in grid.values())
        trees = error(test, grid[chosen])
        self.notes.append(
            f"{protocol}: growth rate {rate:.3f} a year; trees chosen by validation: {chosen.name}"
        )
        return [
            Figure(
                protocol, "naive mean by hour and working day", error(test, self.peers.fit_naive(train)(test))
            ),
            Figure(protocol, "LightGBM out of the box, no growth rule", self._plain(train, test)),
            Figure(protocol, "trees, settings by validation", trees),
            Figure(protocol, f"trees, best of {len(grid)} settings in hindsight", hindsight),
            Figure(protocol, "network", error(test, self.fit_network(train)(test)), AGAINST_TREES * trees),
        ]

    def _plain(self, train: Any, test: Any) -> float:
        return self.peers.rmse(test, self.peers.fit_trees(train, 0.0, self.peers.PLAIN)(test))

    def _note_gate(self, months: list[Any], tolerance: float) -> None:
        decisions = months[1:]
        worse = [_label(month.month) for month in decisions if month.promoted_worse]
        missed = [_label(month.month) for month in decisions if month.refused_better]
        self.notes.append(
            f"gate with tolerance {tolerance:.0%}: "
            f"{sum(month.promoted for month in decisions)} of {len(decisions)} promoted, "
            f"RMSE {self.protocols.pooled(months, lambda month: month.served):.1f}; in hindsight "
            f"{len(worse)} promoted though worse than staying ({', '.join(worse) or 'none'}), "
            f"{len(missed)} refused though better ({', '.join(missed) or 'none'})"
        )


def _pair(protocol: str, name: str, errors: Sequence[float], staying: float) -> list[Figure]:
    trees, network = errors
    limit = min(AGAINST_TREES * trees, AGAINST_STAYING * staying)
    return [Figure(protocol, f"trees, {name}", trees), Figure(protocol, f"network, {name}", network, limit)]


def _month_record(ours: Any, theirs: Any) -> dict[str, Any]:
    return {
        "month": _label(ours.month),
        "network_first": ours.first,
        "network_staying": ours.champion,
        "network_candidate": ours.candidate,
        "network_gated": ours.served,
        "gate_champion": ours.gate_champion,
        "gate_candidate": ours.gate_candidate,
        "promoted": ours.promoted,
        "trees_candidate": theirs.candidate,
        "trees_gated": theirs.served,
    }


def _label(month: int) -> str:
    return f"{2011 + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}"


def _machine() -> str:
    from importlib.metadata import version

    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "lightgbm"))
    processor = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    return f"{processor}, Python {platform.python_version()}, {versions}"


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['command']}   {report['date']}   {report['machine']}", ""]
    lines += ["| protocol | model | RMSE | goal | |", "|---|---|---:|---:|---|"]
    for figure in report["figures"]:
        goal = "" if figure["limit"] is None else f"<= {figure['limit']:.1f}"
        row = (figure["protocol"], figure["name"], f"{figure['rmse']:.1f}", goal, figure["verdict"])
        lines.append(f"| {' | '.join(row)} |")
    names = [name for name in report["months"][0] if name != "month"]
    lines += [
        "",
        f"| month | {' | '.join(name.replace('_', ' ') for name in names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for month in report["months"]:
        lines.append(f"| {month['month']} | {' | '.join(_cell(month[name]) for name in names)} |")
    trainings = report["cpu_seconds_for_each_training"]
    lines += ["", f"Gate tolerance {report['tolerance']:.0%}.", *report["notes"]]
    lines.append(
        f"CPU: {min(trainings)}-{max(trainings)} s for one training, {report['cpu_seconds']} s in all."
    )
    return "\n".join(lines)


def _cell(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="UCI's hour table, gzipped or plain")
    parser.add_argument(
        "--quick", action="store_true", help="a short run that proves nothing but that it runs"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=DEFAULT_TOLERANCE,
        help="how much worse, relatively, the gate lets a candidate be",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
