"""Keeps the release that serves up to date, in a thread: whole releases only, and the old one serves until the new one can."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from pedalflow.errors import PedalflowError, ReleaseBroken
from pedalflow.release import MANIFEST
from serving.served import Served, load_served, release_folder

logger = logging.getLogger("pedalflow.serving")

_Signature = tuple[tuple[str, int, int, int], ...]


class LiveRelease:
    """The release at a place, a folder or a pointer, looked at again every `poll_s` seconds once it is started.

    A new release is verified, loaded and let predict beside the old one, then takes its place in one assignment: who took `current`
    before keeps it to the end of the request. A release that is broken, or still being copied, is refused: said once, handed to
    `on_refused` once, and tried again whenever its files change. Where something else failed (no more open files, no memory), it is tried
    again at every look.
    """

    def __init__(
        self,
        place: Path,
        poll_s: float,
        on_change: Callable[[Served], None],
        on_refused: Callable[[str], None],
    ) -> None:
        """Load the release now. `on_change` gets every release that begins to serve, this one included, just before it does.

        Where `on_change` raises for a later release, the old one serves on and the new one is tried again.

        Raises:
            ReleaseBroken: there is no release that can serve.
        """
        self._place = place
        self._poll_s = poll_s
        self._on_change = on_change
        self._on_refused = on_refused
        self._seen = _signature(place)
        self._refused = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live-release", daemon=True)
        self.current: Served = load_served(place)
        on_change(self.current)

    def start(self) -> None:
        """Begin to look; in the process that serves, because threads do not survive a fork."""
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Take up what is new at the place, now. The thread calls it; it never raises."""
        seen = _signature(self._place)
        if seen == self._seen:
            return
        wanted = str(self._place)
        try:
            wanted = _checksum(self._place)
            if wanted == self.current.release.checksum:
                self._refused = ""
            else:
                self._serve(load_served(self._place))
        except (
            Exception
        ) as error:  # the thread must go on looking, whatever this release made a library raise
            self._refuse(wanted, str(error) if isinstance(error, PedalflowError) else repr(error))
            if not _is_about_the_release(error):
                return
        self._seen = seen

    def _watch(self) -> None:
        while not self._stopped.wait(self._poll_s):
            self.look()

    def _serve(self, served: Served) -> None:
        self._on_change(served)
        before, self.current = self.current, served
        self._refused = ""
        logger.info("release %s serves now, instead of %s", served.release.name, before.release.name)

    def _refuse(self, wanted: str, why: str) -> None:
        if wanted == self._refused:
            return
        self._refused = wanted
        logger.error("release %s serves on, the new one is refused: %s", self.current.release.name, why)
        self._on_refused(why)


def _is_about_the_release(error: BaseException) -> bool:
    """Whether the error would come again as long as the files stay: no part of the machine refused to read them."""
    if not isinstance(error, ReleaseBroken):
        return False
    cause = error.__cause__
    while cause and not isinstance(cause, (OSError, MemoryError)):
        cause = cause.__cause__
    return cause is None or isinstance(cause, FileNotFoundError)


def _checksum(place: Path) -> str:
    """The checksum of the release that should serve, without looking at the rest of it."""
    folder, checksum = release_folder(place)
    try:
        return checksum or hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise ReleaseBroken(f"{folder} has no manifest ({error})") from error


def _signature(place: Path) -> _Signature:
    """Changes whenever the pointer or a file of the release is written; cheap enough to ask for every second."""
    try:
        folder, _ = release_folder(place)
        files = [place, *sorted(folder.rglob("*"))]
        return tuple(
            (str(path), status.st_ino, status.st_size, status.st_mtime_ns)
            for path in files
            for status in (path.stat(),)
        )
    except (OSError, PedalflowError) as error:
        return ((repr(error), 0, 0, 0),)
