"""The release that serves is kept up to date."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pedalflow.champion import Pointer, write_pointer
from pedalflow.errors import ReleaseBroken
from pedalflow.release import ONNX_MODEL, Release
from serving.live_release import LiveRelease
from serving.served import Served
from tests.samples.small_release import small_release


class Live:
    """A LiveRelease, and what it told."""

    def __init__(self, place: Path, poll_s: float = 60.0) -> None:
        self.changes: list[str] = []
        self.refused: list[str] = []
        self.release = LiveRelease(place, poll_s, self._changed, self.refused.append)

    def _changed(self, served: Served) -> None:
        self.changes.append(served.release.name)

    @property
    def name(self) -> str:
        return self.release.current.release.name


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small_release(tmp_path_factory.mktemp("two"), scale=2.0)


@pytest.fixture
def pointer(tmp_path: Path, one: Release) -> Path:
    path = tmp_path / "champion.json"
    point(path, one)
    return path


def point(path: Path, release: Release, folder: Path | None = None) -> None:
    write_pointer(path, Pointer(release.name, release.checksum, folder or release.folder))


def test_what_the_pointer_names_next_is_served(pointer: Path, one: Release, two: Release) -> None:
    live = Live(pointer)
    live.release.look()
    in_flight = live.release.current
    point(pointer, two)
    live.release.look()

    assert (live.name, live.changes, live.refused) == (two.name, [one.name, two.name], [])
    assert in_flight.release.name == one.name  # a request that took it keeps it whole


def test_a_folder_that_becomes_another_release_is_served_too(
    tmp_path: Path, one: Release, two: Release
) -> None:
    place = tmp_path / "release"
    place.symlink_to(one.folder)
    live = Live(place)
    place.unlink()
    place.symlink_to(two.folder)
    live.release.look()

    assert live.name == two.name


def test_a_pointer_written_anew_to_the_same_release_changes_nothing(pointer: Path, one: Release) -> None:
    live = Live(pointer)
    served = live.release.current
    point(pointer, one)
    live.release.look()

    assert live.release.current is served
    assert live.changes == [one.name]


def test_a_half_copied_release_is_refused_once_and_served_when_it_is_whole(
    tmp_path: Path, pointer: Path, one: Release, two: Release
) -> None:
    live = Live(pointer)
    folder = tmp_path / "copy"
    point(pointer, two, folder)
    live.release.look()
    folder.mkdir()
    live.release.look()
    for path in sorted(two.folder.rglob("*")):
        target = folder / path.relative_to(two.folder)
        target.mkdir() if path.is_dir() else shutil.copyfile(path, target)
        if path.name != ONNX_MODEL:
            live.release.look()
    live.release.look()

    assert len(live.refused) == 1
    assert (live.name, live.changes) == (two.name, [one.name, two.name])


@pytest.mark.parametrize("content", ["", "{}", "[1]", None])
def test_a_pointer_that_cannot_be_read_leaves_the_old_release(
    pointer: Path, one: Release, content: str | None
) -> None:
    live = Live(pointer)
    pointer.unlink() if content is None else pointer.write_text(content, encoding="utf-8")
    live.release.look()
    live.release.look()

    assert (live.name, len(live.refused)) == (one.name, 1)


def test_the_same_broken_release_is_said_again_after_a_good_one(
    tmp_path: Path, pointer: Path, one: Release, two: Release
) -> None:
    live = Live(pointer)
    for target, folder in ((two, tmp_path / "no"), (one, None), (two, tmp_path / "no")):
        point(pointer, target, folder)
        live.release.look()

    assert (live.name, len(live.refused)) == (one.name, 2)


def test_any_error_of_a_library_leaves_the_old_release_and_the_thread(
    pointer: Path, one: Release, two: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(pointer)
    monkeypatch.setattr("serving.live_release.load_served", lambda place: 1 / 0)
    point(pointer, two)
    live.release.look()

    assert (live.name, live.refused) == (one.name, ["ZeroDivisionError('division by zero')"])


def no_more_files(place: Path) -> Served:
    try:
        raise OSError(errno.EMFILE, "Too many open files")
    except OSError as error:
        raise ReleaseBroken(f"{place} cannot be read ({error})") from error


def no_memory(place: Path) -> Served:
    raise MemoryError


@pytest.mark.parametrize("failing", [no_more_files, no_memory])
def test_what_fails_for_a_while_is_said_once_and_tried_again_at_every_look(
    pointer: Path, one: Release, two: Release, failing: Callable[[Path], Served]
) -> None:
    live = Live(pointer)
    point(pointer, two)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.live_release.load_served", failing)
        live.release.look()
        live.release.look()
    assert (live.name, len(live.refused)) == (one.name, 1)
    live.release.look()

    assert (live.name, live.changes) == (two.name, [one.name, two.name])


def test_a_broken_release_is_not_read_again_before_its_files_change(
    pointer: Path, two: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def broken(place: Path) -> Served:
        reads.append(place)
        raise ReleaseBroken("a file was changed")

    live = Live(pointer)
    monkeypatch.setattr("serving.live_release.load_served", broken)
    point(pointer, two)
    live.release.look()
    live.release.look()

    assert len(reads) == 1


def test_a_release_whose_change_cannot_be_told_does_not_serve_until_it_can(
    pointer: Path, one: Release, two: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live(pointer)
    point(pointer, two)
    with monkeypatch.context() as patch:
        patch.setattr(live.release, "_on_change", lambda served: 1 / 0)
        live.release.look()
    assert (live.name, len(live.refused)) == (one.name, 1)
    live.release.look()

    assert live.name == two.name


def test_the_thread_looks_and_stops(pointer: Path, two: Release) -> None:
    import threading

    seen = threading.Event()
    live = LiveRelease(
        pointer, 0.01, lambda served: seen.set() if served.release.name == two.name else None, print
    )
    live.start()
    point(pointer, two)

    assert seen.wait(20)
    live.stop()
    assert "live-release" not in {thread.name for thread in threading.enumerate()}


def test_without_any_release_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(ReleaseBroken, match="does not exist, so no release serves yet"):
        Live(tmp_path / "champion.json")
