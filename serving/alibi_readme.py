"""The README that lies beside exported detectors: for which server, with which settings, and what it cannot do that ours do."""

from __future__ import annotations

from datetime import date, timedelta

from serving.alibi_export import DRIFT, OUTLIER, ROWS_SEEN, DriftExport, OutlierExport

EPOCH = date(1970, 1, 1)
_TITLE = ("# Detectors of release ", " for Seldon's alibi-detect server")


def is_readme(text: str) -> bool:
    """Whether a README begins with the first line that `readme` writes."""
    first = text.split("\n", 1)[0]
    return first.startswith(_TITLE[0]) and first.endswith(_TITLE[1])


def readme(
    release: str,
    day: int,
    features: tuple[str, ...],
    drift: DriftExport,
    outlier: OutlierExport,
    version: str,
) -> str:
    """Markdown."""
    alarms = f"{drift.calibration_alarms} of {drift.calibration_windows}"
    usual = f"{drift.usual_alarms} of {drift.calibration_windows}"
    components = f"{outlier.components} greatest principal components of {len(drift.names)}"
    return f"""{_TITLE[0]}{release}{_TITLE[1]}

Written by alibi-detect {version}. Made for requests near {EPOCH + timedelta(day)}: export again, with another `--date`, when the season
has moved on. Load these folders only from where you trust the sender: alibi-detect's form holds dill files, which run code.

```
--protocol seldon.http --http_port 8080 --model_name {release}-drift --storage_uri /models/{DRIFT} \\
    --event_type io.seldon.serving.inference.drift --reply_url URL DriftDetector --drift_batch_size {drift.window_rows}

--protocol seldon.http --http_port 8080 --model_name {release}-outlier --storage_uri /models/{OUTLIER} \\
    --event_type io.seldon.serving.inference.outlier --reply_url URL OutlierDetector
```

Requests have to hold numbers only, as `tensor` or as an `ndarray` of numbers, with the date as days since 1970-01-01 and the columns
in this order: {", ".join(features)}.
The server makes one NumPy array of a request; a date as text makes it an array of texts, and both detectors fail.

## `{DRIFT}/`: KSDrift

- Looks at {", ".join(drift.names)}: columns {", ".join(map(str, drift.positions))} of a request.
- Reference: {len(drift.reference)} of the {drift.season_rows} rows of history within 21 days of that day of the year, evenly
  spaced. Not all of them, because alibi-detect holds p-values as float32, where those of a larger reference would become 0.
- `p_val` {drift.p_value:.3g}, Bonferroni over {len(drift.names)} numbers. A week of weather is never a sample of its season:
  with the usual 0.05, {usual} contiguous windows of the training span alarm, each against its own season. With
  this one {alarms} do.

## `{OUTLIER}/`: Mahalanobis

- The distance of the numbers from the mean of all of history, by its {components}.
  alibi-detect inverts a covariance only if its determinant is above 1e-8; with more components every score would be 0.
- `threshold` {outlier.threshold:.4g} flags {outlier.flag_rate:.2%} of history.
- alibi-detect's Mahalanobis learns from every row that it scores, and so learns an attack as well. Here it is told that it has seen
  {ROWS_SEEN:.0e} rows, so that what it scores changes nothing.
- `load_detector` reads this form only where TensorFlow is installed, as it is in the server's image.

## What the release's own detectors do and these cannot

- **Seasons.** Ours compare a window with the same season of history, wherever the window lies; this reference is that of one day.
- **Thresholds.** Ours has a threshold for each number and statistic; here one p-value stands for all of them.
- **Relations.** Ours also tests each number against what the others and the hour say of it, which is what finds a biased sensor. KSDrift
  compares each number by itself: it finds a stuck sensor and a changed unit, but a bias of half a standard deviation far less often.
- **Missing values, ranges, stuck sensors** have tests of their own in ours. A missing value (NaN) silences KSDrift for its column.
- **Outliers**: ours measures the distance from what season and hour let expect, and knows ranges and combinations of codes that never
  came; this one knows neither season nor hour, only numbers.
- **Concept drift** needs labels; alibi-detect has no counterpart, nothing is exported.
- **Windows** are in the server's memory: they are lost when it restarts, and an event goes out for every full batch, drifted or not
  (read `data.is_drift`).
"""
