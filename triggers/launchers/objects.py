"""From the names of uploaded objects to files on this machine, through a strict table of buckets and never out of their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SCHEMES = ("s3", "gs")
BATCHES = "*.csv"


class Unusable(Exception):
    """An object that stands for no file: its bucket is unknown, its name leads out of it, or there is no such file."""


def files_of(
    objects: Sequence[str], buckets: Mapping[str, Path], marker: str
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files that `objects` stand for, in their order and each once, and a sentence for each object that stands for none.

    An object that ends in `/`, or whose name is `marker`, stands for every *.csv that lies there. One that cannot be used
    leaves the others as they are.
    """
    files: dict[Path, None] = {}
    refused: dict[str, None] = {}
    for name in objects:
        try:
            files |= dict.fromkeys(list(_files(name, buckets, marker)))
        except Unusable as error:
            refused[str(error)] = None
        except (OSError, ValueError) as error:  # what the file system makes of a strange name
            refused[f"{name!r} cannot be looked for ({error}); make it readable, under a plain name"] = None
    return tuple(files), tuple(refused)


def patterns_of(objects: Sequence[str], marker: str) -> list[str]:
    """The objects as tools that copy from a bucket take them, each once: what stands for a whole folder is a pattern there."""
    return list(dict.fromkeys(_pattern(name, marker) for name in objects))


def _pattern(name: str, marker: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{BATCHES}" if last in ("", marker) else name


def _files(name: str, buckets: Mapping[str, Path], marker: str) -> Iterator[Path]:
    root, key = _place(name, buckets)
    *parents, last = key.split("/")
    many = last in ("", marker)
    place = _inside(root, parents if many else [*parents, last], name)
    if not many:
        yield _file(place, root, name)
        return
    batches = sorted(place.glob(BATCHES)) if place.is_dir() else []
    if not batches:
        raise Unusable(f"{name} stands for every {BATCHES} in {place}, and there is none; copy them there")
    for batch in batches:
        yield _file(_contained(batch, root, name), root, name)


def _place(name: str, buckets: Mapping[str, Path]) -> tuple[Path, str]:
    """The folder of an object's bucket, and the rest of its name."""
    scheme, _, rest = name.partition("://")
    if scheme == "file":
        return _file_place(name, rest, buckets)
    bucket, _, key = rest.partition("/")
    if scheme not in SCHEMES or not bucket:
        raise Unusable(f"{name!r} is no object of a bucket; it must look like s3://bucket/2012-01/hours.csv")
    if bucket not in buckets:
        known = ", ".join(sorted(buckets)) or "none"
        raise Unusable(
            f"{name} lies in the bucket {bucket}, which has no folder on this machine (known: {known}); "
            "name it in the setting `buckets` of the local launcher"
        )
    return buckets[bucket].resolve(), key


def _file_place(name: str, path: str, buckets: Mapping[str, Path]) -> tuple[Path, str]:
    """A file is taken only from a bucket's folder, too: else whoever may upload could name any file of this machine."""
    for folder in buckets.values():
        if path.startswith(f"{folder}/"):
            return folder.resolve(), path[len(f"{folder}/") :]
    raise Unusable(
        f"{name} lies in no folder of the setting `buckets` of the local launcher; add its folder there, or move the file"
    )


def _inside(root: Path, parts: Sequence[str], name: str) -> Path:
    """The path below `root`, once it is certain that it is below."""
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Unusable(
            f"{name!r} has an empty part, or one of points, in its name; upload it under a plain name"
        )
    return _contained(root.joinpath(*parts), root, name)


def _contained(path: Path, root: Path, name: str) -> Path:
    try:
        real = path.resolve()
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise Unusable(
            f"{name} cannot be followed to a file ({error}); upload it under another name"
        ) from error
    if not real.is_relative_to(root):
        raise Unusable(f"{name} leads out of its bucket's folder {root}; replace the link by the file")
    return real


def _file(path: Path, root: Path, name: str) -> Path:
    if not path.is_file():
        raise Unusable(
            f"{name} should be {path}, and there is no such file; copy it there, or check where its bucket lies "
            f"({root}; setting `buckets` of the local launcher)"
        )
    return path
