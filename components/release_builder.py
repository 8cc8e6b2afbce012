"""TFX component: the release, one immutable folder that is registered, pushed and rolled back as a whole."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.release_folder import build_release
from components.use_cases import load_use_case
from components.verdict import read_verdict


@component
def ReleaseBuilder(
    model: InputArtifact[standard_artifacts.Model],
    schema: InputArtifact[standard_artifacts.Schema],
    blessing: InputArtifact[standard_artifacts.ModelBlessing],
    release: OutputArtifact[standard_artifacts.Model],
    use_case: Parameter[str],
    facts: Parameter[str],
) -> None:
    """`facts` is JSON: spans with their hashes, commit, code fingerprint, parameters and environment."""
    verdict = read_verdict(Path(blessing.uri))
    built = build_release(
        Path(release.uri),
        load_use_case(use_case),
        Path(model.uri),
        Path(schema.uri),
        verdict,
        json.loads(facts),
    )
    release.set_string_custom_property("release", built.name)
