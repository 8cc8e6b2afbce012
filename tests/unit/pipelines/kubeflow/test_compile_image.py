"""Which image `pedalflow compile --image` means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pedalflow.errors import SettingsError
from pipelines.kubeflow.compile_command import image_of

PINNED = f"registry.example.org/team/pedalflow-pipelines@sha256:{'5' * 64}"


def test_a_name_is_taken_as_it_is() -> None:
    assert image_of(PINNED) == PINNED


def test_the_file_of_what_was_pushed_names_the_image_of_the_pipelines(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"pipelines": PINNED, "serving": "another"}), encoding="utf-8")
    assert image_of(str(file)) == PINNED


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"serving": "another"}'])
def test_a_file_that_does_not_name_it_is_refused_with_the_way_out(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "images.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"images\.json does not name .* `make images PUSH="):
        image_of(str(file))
