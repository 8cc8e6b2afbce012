"""What `pedalflow detectors` does: shows a release's detectors, or writes them in alibi-detect's own saved form."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import SettingsError
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.release import DETECTORS
from pedalflow.tables import table
from pedalflow.workspace import Workspace
from serving.served import Served, load_served

EPOCH = date(1970, 1, 1)
README = "README.md"
SUFFIXES = (".toml", ".npy", ".dill")  # of the files that alibi-detect saves for these detectors
HEADERS = ("detector", "judges", "by", "threshold", "false alarms", "fitted on")
NO_ADVICE = {
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"
}  # alibi-detect imports transformers, which misses PyTorch


def main(argv: list[str]) -> int:
    """Run `pedalflow detectors` with the given arguments; returns the exit code."""
    arguments = options.parse("detectors", argv)
    silence(verbose=arguments.verbose)
    served = load_served(arguments.release or Workspace(arguments.workspace).champion)
    if arguments.action == "show":
        print(json.dumps(shown(served), indent=2) if arguments.json else as_text(served))
        return 0
    exported = export(served, arguments, Progress(sys.stderr))
    print(
        json.dumps(exported, indent=2) if arguments.json else f"{exported['folder']}: read its {README} first"
    )
    return 0


def shown(served: Served) -> dict[str, Any]:
    """The release, the size of its detectors on disk in bytes, and a row for each detector by `HEADERS`."""
    folder = served.release.folder / DETECTORS
    size = sum(path.stat().st_size for path in folder.iterdir())
    rows = [dict(zip(HEADERS, row)) for row in _rows(served)]
    return {"release": served.release.name, "bytes": size, "detectors": rows}


def as_text(served: Served) -> str:
    """The same as people read it."""
    content = shown(served)
    rows = [list(row.values()) for row in content["detectors"]]
    size = f"{content['bytes'] / 1024:,.0f} KiB on disk"
    return f"Detectors of release {content['release']}, {size}\n\n{table(rows, HEADERS)}"


def _rows(served: Served) -> list[tuple[str, ...]]:
    """What each detector is, in words with its numbers."""
    found = served.detectors
    drift, outliers, concept = found.drift, found.outliers, found.concept
    numbers = drift.layout.numbers
    history = f"{len(drift.days):,} rows, {_day(int(drift.days[0]))} to {_day(int(drift.days[-1]))}"
    thresholds = [
        ("values, same season", drift.seasonal_limits[0]),
        ("relations, same season", drift.seasonal_limits[1]),
        ("relations, unseen season", drift.unseasonal_limits),
    ]
    by_number = ", ".join(f"{name} {{:.2f}}" for name in numbers)
    return [
        (
            "outliers",
            "each row",
            f"ranges, {len(outliers.combinations)} combinations that never came, distance",
            f"distance {outliers.distance_limit[0]:.2f}, {outliers.distance_limit[1]:.2f} in an unseen season",
            f"{outliers.flag_rate:.2%} of rows",
            history,
        ),
        *(
            (
                "data drift",
                f"{drift.window_rows} rows",
                f"KS distance: {what}",
                by_number.format(*limits),
                f"{drift.false_alarm_rate:.0%} of windows",
                history,
            )
            for what, limits in thresholds
        ),
        (
            "concept drift",
            "each day of labels",
            f"CUSUM of daily log residuals, mean {concept.mean:+.3f}, deviation {concept.deviation:.3f}",
            f"{concept.limit:.2f} deviations",
            f"{concept.false_alarms_per_year:g} a year",
            f"{concept.train_days} days, and {concept.evaluation_days} that were not trained on",
        ),
        (
            "contributions",
            "one row",
            "Shapley values against background rows",
            "",
            "",
            f"{len(found.background[drift.layout.date])} rows",
        ),
    ]


def export(served: Served, arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    """Write the detectors for alibi-detect's server, load them back and compare.

    Raises:
        SettingsError: `--date` is none, or of a season that history does not hold; the folder holds something else, or cannot be written.
        RunFailed: loaded back, a detector is another one.
    """
    day = _date(arguments.date) if arguments.date else int(served.detectors.drift.days[-1])
    folder: Path = arguments.output.expanduser().resolve()
    try:
        _check_replaceable(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as room:
            draft = Path(room, "new")
            draft.mkdir()
            facts = _write(served, day, draft, progress)
            _check_replaceable(folder)  # somebody may have put a file there meanwhile
            if folder.exists():
                folder.replace(Path(room, "old"))
            draft.replace(folder)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error}); give another folder with --output"
        ) from error
    return {"folder": str(folder), "release": served.release.name, "date": _day(day), **facts}


def _check_replaceable(folder: Path) -> None:
    """Raises SettingsError unless the folder is missing, empty, or an export of ours and nothing else."""
    if folder.exists() and not (folder.is_dir() and (not any(folder.iterdir()) or _is_export(folder))):
        raise SettingsError(
            f"{folder} holds something else than an export of detectors, so it is left as it is; "
            "give a new folder with --output"
        )


def _is_export(folder: Path) -> bool:
    """Whether a folder holds what an export writes, and only that."""
    from serving.alibi_export import DRIFT, OUTLIER
    from serving.alibi_readme import is_readme

    if {entry.name for entry in folder.iterdir()} != {README, DRIFT, OUTLIER}:
        return False
    inner = [path for name in (DRIFT, OUTLIER) for path in (folder / name, *(folder / name).rglob("*"))]
    if any(path.is_symlink() or (path.is_file() and path.suffix not in SUFFIXES) for path in inner):
        return False
    readme = folder / README
    return readme.is_file() and is_readme(readme.read_text(encoding="utf-8", errors="replace"))


def _write(served: Served, day: int, folder: Path, progress: Progress) -> dict[str, Any]:
    with progress.step("loading alibi-detect"):
        for variable, value in NO_ADVICE.items():
            os.environ.setdefault(variable, value)
        import alibi_detect

        from serving import alibi_export as alibi
        from serving.alibi_readme import readme
    features, found = served.schema.names, served.detectors
    with progress.step("calibrating its p-value on the windows of training"):
        drift = alibi.drift_export(found.drift, features, day)
        outlier = alibi.outlier_export(found.outliers, found.drift, features)
    with progress.step("writing the detectors and loading them back"):
        requests = alibi.request_rows(found.drift, features, found.drift.window_rows)
        alibi.save_drift(drift, folder / alibi.DRIFT)
        alibi.save_outlier(outlier, folder / alibi.OUTLIER)
        alibi.check_drift(drift, folder / alibi.DRIFT, requests)
        alibi.check_outlier(outlier, folder / alibi.OUTLIER, requests)
    text = readme(served.release.name, day, features, drift, outlier, alibi_detect.__version__)
    (folder / README).write_text(text, encoding="utf-8")
    return {
        "alibi_detect": alibi_detect.__version__,
        "drift_batch_size": drift.window_rows,
        "p_val": drift.p_value,
        "calibration_windows": drift.calibration_windows,
        "calibration_alarms": drift.calibration_alarms,
        "outlier_threshold": outlier.threshold,
    }


def _date(text: str) -> int:
    try:
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise SettingsError(f"--date {text!r} is no date; write it as YYYY-MM-DD") from error


def _day(days: int) -> str:
    return date.fromordinal(EPOCH.toordinal() + days).isoformat()


if __name__ == "__main__":
    sys.exit(outermost(main))
