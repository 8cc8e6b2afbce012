"""From an arriving file to the bytes of its CSV, with a limit on how many there may be."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

from pedalflow.errors import DataMissing
from pipelines.arrivals.violations import Broken, broken, escaped

# A year of hours is 0.6 MB. The limit leaves room for wider tables and ends what would only fill the memory.
MOST_BYTES = 256 * 2**20
# What quarantine keeps of a file that breaks `too_large`: enough to see what was sent.
KEPT_BYTES_OF_TOO_LARGE = 2**20
_GZIP_MAGIC = b"\x1f\x8b"
_MIB = 2**20


@dataclass(frozen=True)
class Unpacked:
    """The outcome of unpacking: `content` if nothing is broken."""

    content: bytes
    broken: tuple[Broken, ...] = ()


def read_file(file: Path) -> bytes:
    """The bytes of `file`, but not more than `MOST_BYTES` + 1 of them: `unpacked` refuses a file that is longer.

    Raises DataMissing where there is no such file, or where it is a folder, a pipe or a device.
    """
    try:
        # Without waiting, since opening a pipe otherwise lasts until somebody writes to it.
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise DataMissing(
                    f"{escaped(str(file))} is a pipe or a device and no file; write the CSV to a file and give its path"
                )
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataMissing(
            f"{escaped(str(file))} cannot be read ({error.strerror}); give the path of a CSV file"
        ) from error


def unpacked(raw: bytes) -> Unpacked:
    """The CSV's bytes, out of gzip where the file is gzip. Unpacking stops at the limit."""
    if not raw:
        return _refused(broken("file_empty", "the file has no bytes; send it again"))
    if len(raw) > MOST_BYTES:
        return _refused(too_large(f"the file has more than {MOST_BYTES // _MIB} MiB"))
    if not raw.startswith(_GZIP_MAGIC):
        return Unpacked(raw)
    try:
        with gzip.open(io.BytesIO(raw)) as packed:
            content = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        return _refused(broken("partly_written", f"the gzip file is not whole ({error}); send it again"))
    if len(content) > MOST_BYTES:
        return _refused(too_large(f"the file unpacks to more than {MOST_BYTES // _MIB} MiB"))
    return Unpacked(content)


def too_large(excess: str) -> Broken:
    """The rule `too_large`; `excess` says which limit the file breaks."""
    kept = f"{KEPT_BYTES_OF_TOO_LARGE // _MIB} MiB"
    return broken(
        "too_large", f"{excess}; send one span a file. Quarantine keeps its first {kept}, and their sha256"
    )


def _refused(found: Broken) -> Unpacked:
    return Unpacked(b"", (found,))
