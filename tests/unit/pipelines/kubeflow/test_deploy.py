"""Which compiled files may be deployed, and what their versions are called."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pedalflow.errors import SettingsError
from pedalflow.spans import Span, SpanState
from pipelines.kubeflow.compilation import UNPUBLISHED
from pipelines.kubeflow.deploy import LONGEST_TAG, Candidate, candidate, tags
from tests.samples.compiled_golden import GOLDEN, MAKINGS

COMPILED = GOLDEN.read_text(encoding="utf-8")
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a compiled file."""

    def written(text: str) -> Path:
        file = tmp_path / "pedalflow.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return written


def dirty() -> str:
    documents = list(yaml.load_all(COMPILED, Loader=yaml.CSafeLoader))
    documents[0]["root"]["inputDefinitions"]["parameters"]["dirty"]["defaultValue"] = True
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper)


def version(text: str, write: Write) -> str:
    return candidate(write(text), allow_dirty=True).version


def test_a_compiled_file_says_what_it_is_made_of() -> None:
    read = candidate(GOLDEN, allow_dirty=False)
    assert (read.commit, read.dirty, read.images) == (MAKINGS.commit, False, (MAKINGS.image,))
    assert read.content == GOLDEN.read_bytes()


def test_what_is_uploaded_is_what_was_checked_because_it_is_read_once() -> None:
    with subprocess.Popen(
        ["cat", str(GOLDEN)], stdout=subprocess.PIPE
    ) as once:  # a second reading finds nothing
        assert once.stdout
        read = candidate(Path(f"/dev/fd/{once.stdout.fileno()}"), allow_dirty=False)
    assert read.content == GOLDEN.read_bytes()


def test_a_version_is_named_after_its_commit_and_tells_other_images_apart(write: Write) -> None:
    name = version(COMPILED, write)
    other = version(COMPILED.replace(MAKINGS.image, MAKINGS.image.replace("1" * 64, "2" * 64)), write)
    assert name.startswith("cccccccccccc-") and other.startswith("cccccccccccc-")
    assert name != other
    assert name == version(COMPILED, write)


def test_a_file_without_a_published_image_is_refused(write: Write) -> None:
    file = write(COMPILED.replace(MAKINGS.image, f"registry.example.org/{UNPUBLISHED}"))
    with pytest.raises(SettingsError, match="was never published; compile it with --image"):
        candidate(file, allow_dirty=True)


def test_code_that_differs_from_its_commit_is_refused_unless_it_is_meant(write: Write) -> None:
    file = write(dirty())
    with pytest.raises(SettingsError, match=r"differs from the commit cccccccccccc.*--allow-dirty"):
        candidate(file, allow_dirty=False)
    assert candidate(file, allow_dirty=True).version.startswith("cccccccccccc-changed-")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing: here", "is no compiled pipeline"),
        (COMPILED.replace(MAKINGS.image, "pedalflow:latest"), "which no digest pins"),
        (
            COMPILED.replace("      commit:\n        defaultValue", "      commits:\n        defaultValue"),
            "would not run",
        ),
    ],
)
def test_what_would_not_run_on_kubeflow_is_refused(text: str, said: str, write: Write) -> None:
    with pytest.raises(SettingsError, match=said):
        candidate(write(text), allow_dirty=False)


def spans(*md5s: str) -> list[Span]:
    days = ("2011-01-01", "2011-12-31")
    return [Span(n, f"/{n}", 1, *days, md5, SpanState.MISSING) for n, md5 in enumerate(md5s, 1)]


def test_tags_name_commit_code_and_data_and_fit() -> None:
    read = candidate(GOLDEN, allow_dirty=False)
    made = tags(read, spans("a", "b"))
    assert made["commit"] == MAKINGS.commit
    assert made["code"] == MAKINGS.code[:LONGEST_TAG]
    assert made["data"].startswith("spans-1-2-")
    assert made["data"] != tags(read, spans("a", "c"))["data"]
    assert all(len(text) <= 63 for pair in made.items() for text in pair)


def test_without_data_there_is_no_tag_for_it() -> None:
    assert "data" not in tags(candidate(GOLDEN, allow_dirty=False), [])


def test_a_pipeline_that_does_not_say_its_commit_has_no_version() -> None:
    read = candidate(GOLDEN, allow_dirty=False)
    del read.pipeline.spec["root"]["inputDefinitions"]["parameters"]["commit"]["defaultValue"]
    with pytest.raises(SettingsError, match="does not say its commit"):
        _ = Candidate(read.content, read.pipeline).version
