"""A `params.yaml` that cannot be read is named, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pedalflow.errors import SettingsError
from pedalflow.workspace import Workspace
from pipelines.arrivals.door import use_case_of
from pipelines.settings import read_settings

READERS: dict[str, Callable[[Path], object]] = {
    "arrivals": lambda params: use_case_of(Workspace(params.parent)),
    "runs": read_settings,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    "content",
    [b"use_case: [bikeshare", b"\tuse_case: bikeshare", b"use_case: caf\xe9", b"a\0b"],
    ids=["open_bracket", "tab", "not_utf8", "nul"],
)
def test_broken_yaml_and_other_encodings_name_the_file(
    reader: Callable[[Path], object], content: bytes, tmp_path: Path
) -> None:
    params = tmp_path / "params.yaml"
    params.write_bytes(content)
    with pytest.raises(SettingsError, match=r"params\.yaml is not readable as YAML"):
        reader(params)


@pytest.mark.parametrize(
    "content", ["", "- bikeshare", "use_case:", "use_case: 7", "use_case: ''", "other: 1"]
)
def test_settings_without_a_use_case_say_what_to_add(content: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"names no use case; add a line such as `use_case: bikeshare`"):
        use_case_of(Workspace(tmp_path))
