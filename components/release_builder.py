"""TFX component: the release, one immutable folder that is registered, pushed and rolled back as a whole."""

import json
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.release_folder import Parts, build_release
from components.use_cases import load_use_case
from components.verdict import read_verdict


@component
def ReleaseBuilder(
    model: InputArtifact[standard_artifacts.Model],
    detectors: InputArtifact[standard_artifacts.Model],
    schema: InputArtifact[standard_artifacts.Schema],
    blessing: InputArtifact[standard_artifacts.ModelBlessing],
    release: OutputArtifact[standard_artifacts.Model],
    use_case: Parameter[str],
    facts: Parameter[str],
) -> None:
    """`facts` is JSON: spans with their hashes, commit, code fingerprint, parameters and environment."""
    verdict = read_verdict(Path(blessing.uri))
    parts = Parts(Path(model.uri), Path(detectors.uri), Path(schema.uri))
    built = build_release(Path(release.uri), load_use_case(use_case), parts, verdict, json.loads(facts))
    release.set_string_custom_property("release", built.name)
