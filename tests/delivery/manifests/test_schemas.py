"""Schemas are derived from CRDs closed, as an API server prunes; nothing is written where one CRD is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.samples.rendered_manifests import SCHEMAS_FOLDER
from tools.schemas import SOURCES, NotFetched, derived, main

CRD = {
    "spec": {
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "description": "What is wanted.",
                                "properties": {
                                    "description": {"type": "string", "description": "A field of this name."},
                                    "port": {
                                        "x-kubernetes-int-or-string": True,
                                        "anyOf": [{"type": "integer"}],
                                    },
                                    "filter": {
                                        "type": "object",
                                        "x-kubernetes-preserve-unknown-fields": True,
                                        "properties": {},
                                    },
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                },
                            }
                        },
                    }
                },
            }
        ]
    }
}
GOOD = {"description": "a", "port": "http", "filter": {"any": 1}, "labels": {"a": "b"}}


@pytest.mark.parametrize(
    "spec, fits",
    [
        (GOOD, True),
        (GOOD | {"port": 80}, True),
        (GOOD | {"prot": 80}, False),
        (GOOD | {"description": 1}, False),
        (GOOD | {"labels": {"a": 1}}, False),
    ],
)
def test_a_schema_takes_what_an_api_server_takes(spec: dict[str, Any], fits: bool) -> None:
    thing = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec}
    assert Draft7Validator(derived(CRD, "v1")).is_valid(thing) is fits


def test_a_version_that_the_crd_does_not_have_is_no_schema() -> None:
    with pytest.raises(NotFetched, match="no version v2"):
        derived(CRD, "v2")


def test_one_crd_that_is_missing_leaves_the_folder_as_it_was(tmp_path: Path, capsys: Any) -> None:
    # given all but the last
    for source in SOURCES[:-1]:
        (tmp_path / f"{source.schema}.yaml").write_text(yaml.safe_dump(CRD), encoding="utf-8")
    # when
    code = main(["--from", str(tmp_path), "--out", str(tmp_path / "out")])
    # then
    assert (code, (tmp_path / "out").exists()) == (1, False)
    assert "nothing was written" in capsys.readouterr().err


def test_all_crds_become_schemas(tmp_path: Path) -> None:
    # given
    for source in SOURCES:
        crd = json.loads(json.dumps(CRD).replace('"v1"', f'"{source.version}"'))
        (tmp_path / f"{source.schema}.yaml").write_text(yaml.safe_dump(crd), encoding="utf-8")
    # when
    code = main(["--from", str(tmp_path), "--out", str(tmp_path / "out")])
    # then
    assert code == 0
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {source.schema for source in SOURCES}


@pytest.mark.skipif(
    not SCHEMAS_FOLDER.is_dir(), reason=f"{SCHEMAS_FOLDER} does not exist; `make schemas` makes it"
)
def test_every_schema_that_is_used_has_a_source() -> None:
    assert {path.stem for path in SCHEMAS_FOLDER.glob("*.json")} == {source.schema for source in SOURCES}
