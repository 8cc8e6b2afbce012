"""TFX component: the model of the champion's release, verified, in the layout in which the Trainer leaves a model.

On a cluster every input must be there, so before the first champion this writes a stand-in: a folder that says so and holds no model.
"""

import shutil
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts

from components.stand_in import NO_CHAMPION, names_stand_in
from pedalflow.errors import SettingsError
from pedalflow.release import MODEL_ARTIFACT, ONNX_MODEL, TRAINED_EXTRA, open_release


@component
def ChampionModel(
    release: InputArtifact[standard_artifacts.Model],
    model: OutputArtifact[standard_artifacts.Model],
    champion: Parameter[str],
) -> None:
    """`champion` is the release's name, empty where there is none yet.

    Raises ReleaseBroken where what was brought in is not that release, whole, and SettingsError where only one of the two says
    that there is a champion.
    """
    target = Path(model.uri)
    if bool(champion) == names_stand_in(release.uri):
        raise SettingsError(
            f"champion is {champion!r}, but its place is {release.uri}; give both, or neither"
        )
    if not champion:
        (target / NO_CHAMPION).touch()
        return
    folder = open_release(Path(release.uri), champion).folder
    shutil.copytree(folder / MODEL_ARTIFACT, target, dirs_exist_ok=True)
    extra = target / TRAINED_EXTRA
    extra.mkdir(parents=True)
    shutil.copy(folder / ONNX_MODEL, extra / ONNX_MODEL)
