"""From uploaded objects to files: what they stand for, and everything that would lead out of a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.launchers.objects import files_of

MARKER = "_SUCCESS"


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A bucket with two months in it, beside a file that is none of its own."""
    folder = tmp_path / "bike-hours"
    for month, names in {"2012-01": ("b.csv", "a.csv", MARKER, "notes.txt"), "2012-02": ("c.csv",)}.items():
        (folder / month).mkdir(parents=True)
        for name in names:
            (folder / month / name).touch()
    (folder / "empty").mkdir()
    (tmp_path / "private.csv").touch()
    return folder


def files(bucket: Path, *objects: str) -> list[str]:
    found, refused = files_of(objects, {"bike-hours": bucket}, MARKER)
    assert refused == ()
    return [str(path.relative_to(bucket)) for path in found]


def refused(bucket: Path, name: str) -> str:
    """Why an object is refused."""
    found, [why] = files_of([name], {"bike-hours": bucket}, MARKER)
    assert found == ()
    return why


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([], []),
        (["s3://bike-hours/2012-01/a.csv"], ["2012-01/a.csv"]),
        (["gs://bike-hours/2012-01/a.csv"], ["2012-01/a.csv"]),
        (["s3://bike-hours/2012-01/"], ["2012-01/a.csv", "2012-01/b.csv"]),
        (["s3://bike-hours/2012-01/_SUCCESS"], ["2012-01/a.csv", "2012-01/b.csv"]),
        (
            ["s3://bike-hours/2012-02/c.csv", "s3://bike-hours/2012-01/", "gs://bike-hours/2012-01/b.csv"],
            ["2012-02/c.csv", "2012-01/a.csv", "2012-01/b.csv"],
        ),
    ],
)
def test_objects_stand_for_files(bucket: Path, objects: list[str], expected: list[str]) -> None:
    assert files(bucket, *objects) == expected


def test_a_file_address_counts_only_below_a_buckets_folder(bucket: Path) -> None:
    assert files(bucket, f"file://{bucket}/2012-02/c.csv") == ["2012-02/c.csv"]
    assert "in no folder of the setting `buckets`" in refused(bucket, f"file://{bucket.parent}/private.csv")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("s3://other/2012-01/a.csv", "which has no folder on this machine"),
        ("s3://bike-hours/../private.csv", "of points, in its name"),
        ("s3://bike-hours/2012-01/../../private.csv", "of points, in its name"),
        ("s3://bike-hours/..", "of points, in its name"),
        ("s3://bike-hours/../_SUCCESS", "of points, in its name"),
        ("s3://bike-hours/./2012-01/a.csv", "of points, in its name"),
        ("s3://bike-hours//etc/passwd", "empty part"),
        ("s3://bike-hours//", "empty part"),
        ("s3://bike-hours/2012-01/a.csv\0", "in its name"),
        (f"s3://bike-hours/{'a' * 300}.csv", "File name too long"),
        ("s3://bike-hours/\ud800.csv", "surrogates not allowed"),
        ("s3://bike-hours/2012-01/missing.csv", "there is no such file"),
        ("s3://bike-hours/2012-01", "there is no such file"),
        ("s3://bike-hours/empty/", "and there is none"),
        ("s3://bike-hours/nowhere/_SUCCESS", "and there is none"),
        ("s3://bike-hours", "and there is none"),
        ("s3:///2012-01/a.csv", "no object of a bucket"),
        ("https://bike-hours/2012-01/a.csv", "no object of a bucket"),
        ("2012-01/a.csv", "no object of a bucket"),
        ("", "no object of a bucket"),
        ("file:///etc/passwd", "in no folder"),
    ],
)
def test_what_is_no_file_of_the_bucket_is_refused(bucket: Path, name: str, why: str) -> None:
    assert why in refused(bucket, name)


def test_an_object_that_cannot_be_used_leaves_the_others_as_they_are(bucket: Path) -> None:
    good = ("s3://bike-hours/2012-02/c.csv", "s3://bike-hours/2012-01/")
    bad = ("s3://other/a.csv", "s3://bike-hours/empty/", "s3://other/a.csv")
    found, why = files_of((bad[0], good[0], *bad[1:], good[1]), {"bike-hours": bucket}, MARKER)
    assert [path.name for path in found] == ["c.csv", "a.csv", "b.csv"]
    assert [sentence.split()[0] for sentence in why] == ["s3://other/a.csv", "s3://bike-hours/empty/"]


def test_a_batch_with_one_file_that_cannot_be_used_is_refused_whole(bucket: Path) -> None:
    (bucket / "2012-01" / "z.csv").symlink_to(bucket.parent / "private.csv")
    assert "leads out of its bucket" in refused(bucket, "s3://bike-hours/2012-01/")


def test_a_link_that_leads_out_is_refused(bucket: Path) -> None:
    (bucket / "2012-02" / "linked.csv").symlink_to(bucket.parent / "private.csv")
    (bucket / "linked").symlink_to(bucket.parent)
    for name in ("2012-02/linked.csv", "2012-02/", "linked/private.csv", "linked/"):
        assert "leads out of its bucket" in refused(bucket, f"s3://bike-hours/{name}")


def test_a_link_in_a_circle_is_refused(bucket: Path) -> None:
    (bucket / "circle.csv").symlink_to(bucket / "circle.csv")
    assert refused(bucket, "s3://bike-hours/circle.csv")


def test_a_link_within_the_bucket_is_followed(bucket: Path) -> None:
    (bucket / "newest").symlink_to(bucket / "2012-02")
    assert files(bucket, "s3://bike-hours/newest/") == ["2012-02/c.csv"]
