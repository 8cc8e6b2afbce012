"""What `pedalflow compile` does."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pedalflow.command import options
from pedalflow.command.outermost import outermost
from pedalflow.errors import SettingsError
from pedalflow.long_lived import long_lived
from pedalflow.progress import Progress
from pedalflow.quiet import silence
from pedalflow.workspace import Workspace
from pipelines import provenance
from pipelines.kubeflow.compilation import UNPUBLISHED, Compilation
from pipelines.plan import code_fingerprint
from pipelines.settings import read_settings

IN_CLUSTER = "http://mlflow.pedalflow.svc.cluster.local:5000"


def main(argv: list[str]) -> int:
    """Run `pedalflow compile` with the given arguments; returns the exit code."""
    arguments = options.parse("compile", argv)
    silence(verbose=arguments.verbose)
    progress = Progress(sys.stderr)
    with progress.step("starting TFX"), long_lived():
        from pipelines.kubeflow.compile import as_yaml, compile_pipeline, write
    made = compilation_of(
        Workspace(arguments.workspace),
        image=image_of(getattr(arguments, "image", UNPUBLISHED)),
        storage=arguments.storage,
        pipeline_root=arguments.pipeline_root,
        registry_uri=arguments.registry_uri,
        claim=arguments.claim,
        events_url=arguments.events_url,
        events_token_file=arguments.events_token_file,
    )
    began = time.monotonic()
    with progress.step("compiling"):
        write(as_yaml(compile_pipeline(made)), arguments.output)
    _show(made, arguments.output, time.monotonic() - began, as_json=arguments.json)
    return 0


def image_of(given: str) -> str:
    """The image of the tasks: as it was given, or out of the file with the digests of all images that were pushed.

    Raises:
        SettingsError: there is no such file, or it does not name the image.
    """
    if not given.endswith(".json"):
        return given
    try:
        return str(json.loads(Path(given).read_text(encoding="utf-8"))["pipelines"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{given} does not name the image `pipelines` ({error}); `make images PUSH=REGISTRY` writes such a file"
        ) from error


def compilation_of(
    workspace: Workspace,
    *,
    image: str = UNPUBLISHED,
    storage: str | None = None,
    pipeline_root: str | None = None,
    registry_uri: str | None = None,
    claim: str | None = None,
    events_url: str | None = None,
    events_token_file: str | None = None,
) -> Compilation:
    """The makings of the workspace's parameters and of the code that is checked out; None is for what the options left out."""
    from components.use_cases import load_function, load_use_case

    settings = read_settings(workspace.params)
    folders = provenance.code_folders(settings.use_case)
    commit, dirty = provenance.commit(folders)
    chosen = {
        "storage": storage,
        "pipeline_root": pipeline_root,
        "claim": claim,
        "events_url": events_url,
        "events_token_file": events_token_file,
    }
    return Compilation(
        use_case=settings.use_case,
        image=image,
        commit=commit,
        dirty=dirty,
        code=code_fingerprint(provenance.REPOSITORY, folders),
        parameters={
            "model": load_function(load_use_case(settings.use_case).hyperparameters)(settings.model),
            "tuner": settings.tuner.model_dump(),
            "gates": settings.gates.model_dump(),
            "detectors": settings.detectors.model_dump(),
        },
        registry_uri=registry_uri or settings.registry.tracking_uri or IN_CLUSTER,
        registry_name=settings.registry.name,
        **{name: value for name, value in chosen.items() if value is not None},
    )


def _show(made: Compilation, output: Path, seconds: float, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "file": str(output),
            "image": made.image,
            "commit": made.commit,
            "dirty": made.dirty,
            "code": made.code,
        }
        print(json.dumps({**facts, "seconds": round(seconds, 2)}, indent=1))
        return
    print(f"{output} was compiled from {made.commit[:12]}{' with changes' if made.dirty else ''}")
    if made.image == UNPUBLISHED:
        print(
            "It names no published image: compile it with --image before it is deployed. `pedalflow rehearse` needs none."
        )


if __name__ == "__main__":
    sys.exit(outermost(main))
