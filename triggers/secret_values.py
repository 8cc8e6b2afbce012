"""Secrets that may change while the service runs: from a file that is read again when it changes, or as they were given."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from pedalflow.errors import SettingsError

logger = logging.getLogger("pedalflow.triggers")

SHORTEST = 16  # characters
_Signature = tuple[int, int, int]


class FileSecret:
    """The secrets in a file, one a line, each of them valid: a second line lets the sender change over without a lost delivery.

    The file is read again when it changes. One that cannot be read, or holds no secret, opens nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: tuple[_Signature | None, tuple[SecretStr, ...]] = (None, ())

    def values(self) -> tuple[str, ...]:
        """All that are valid now; none where the file is missing or empty."""
        try:
            signature = _signature(self.path)
            if signature != self._kept[0]:
                self._kept = (signature, _lines(self.path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            logger.error(
                "the secret in %s cannot be read (%s), so it opens nothing", self.path, type(error).__name__
            )
            self._kept = (None, ())
        return tuple(secret.get_secret_value() for secret in self._kept[1])

    def check(self) -> None:
        """Raises SettingsError where the file holds no secret that is long enough."""
        if not self.values():
            raise SettingsError(
                f"{self.path} cannot be read or holds no secret of {SHORTEST} characters or more; "
                "write one into it, for example with: openssl rand -hex 32"
            )


@dataclass(frozen=True)
class FixedSecret:
    """A secret that came from the environment."""

    secret: SecretStr

    def values(self) -> tuple[str, ...]:
        return (self.secret.get_secret_value(),)

    def check(self) -> None:
        """Raises SettingsError where it is too short."""
        if not _lines(self.secret.get_secret_value()):
            raise SettingsError(f"a secret has fewer than {SHORTEST} characters; take a longer one")


Secret = FileSecret | FixedSecret


def _signature(path: Path) -> _Signature:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _lines(text: str) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(line.strip()) for line in text.splitlines() if len(line.strip()) >= SHORTEST)
