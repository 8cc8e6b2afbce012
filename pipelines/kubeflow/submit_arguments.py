"""What a run is started with: the window, the champion and the rest, held against the parameters of the version that is deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.errors import RunFailed, SettingsError
from pedalflow.whole_files import write_whole
from pedalflow.workspace import Workspace
from pipelines import provenance
from pipelines.kubeflow.api_calls import Kubeflow, Version
from pipelines.kubeflow.arguments import CHAMPION, DATA, champion_arguments, data_arguments, window_of
from pipelines.kubeflow.compiled import CompiledPipeline, complete, read_assignments
from pipelines.kubeflow.parameters import IMAGE_DIGEST, read_spans
from pipelines.plan import code_fingerprint
from pipelines.settings import Settings, read_settings

NEWEST = "newest"
# May be typed, to be sure of them, but are never anything else than the version's defaults.
THE_VERSIONS_OWN = ("code", IMAGE_DIGEST)


@dataclass(frozen=True)
class Wish:
    """What the command line says about the arguments."""

    until_span: int | None
    assignments: tuple[str, ...]
    spans_uri: str | None
    reason: str
    registry_uri: str | None
    as_deployed: bool = False  # whatever code this checkout holds


def deployed_version(server: Kubeflow, pipeline: str, wanted: str) -> Version:
    """The version that is to run. Raises SettingsError where it, or the pipeline, is not there."""
    identity = server.pipeline(pipeline, shared=True)
    if identity is None:
        raise SettingsError(f"there is no pipeline {pipeline} on the server; `pedalflow deploy` uploads it")
    if wanted == NEWEST:
        found = server.newest_version(identity)
    else:
        found = server.version_named(identity, wanted) or server.version(identity, wanted)
    if found is None:
        which = "version" if wanted == NEWEST else f"version {wanted}"
        raise SettingsError(
            f"the pipeline {pipeline} on the server has no {which}; `pedalflow deploy` uploads one"
        )
    return found


def resolve(version: Version, workspace: Workspace, wish: Wish) -> dict[str, Any]:
    """The arguments of the run: what was typed, else what workspace and registry say. All else has defaults in the version, code too.

    Raises:
        SettingsError: the version has no such parameter, is none of ours, runs in another image than was typed, or is of other code than
            this checkout, unless that is wished.
        RunFailed: the registry did not answer.
    """
    pipeline = CompiledPipeline(version.spec, {})
    typed = read_assignments(pipeline, wish.assignments)
    defaults = {name: found.get("defaultValue") for name, found in pipeline.parameters.items()}
    settings = read_settings(workspace.params)
    code = defaults.get("code") if wish.as_deployed else _code(settings)
    _check_code(str(typed.get("code", code)), version, defaults)
    _check_image(typed, version, defaults)
    found: dict[str, Any] = {"spans_uri": wish.spans_uri} if wish.spans_uri else {}
    if not typed.keys() & set(DATA):
        found |= data_arguments(window_of(workspace, wish.until_span, without_files=True))
    found |= _champion(typed, defaults, settings, wish)
    if wish.reason:
        found["reason"] = wish.reason
    resolved = {**found, **typed}
    read_spans(str(complete(pipeline, resolved)["spans"]))
    return {name: value for name, value in resolved.items() if name not in THE_VERSIONS_OWN}


def image_argument(version: Version) -> dict[str, str]:
    """The argument that says which image a run of this version is of; empty for a version that does not take it."""
    declared = CompiledPipeline(version.spec, {}).parameters.get(IMAGE_DIGEST, {})
    return {IMAGE_DIGEST: str(declared["defaultValue"])} if "defaultValue" in declared else {}


def commit_of(version: Version) -> str:
    """The commit of the code that a version runs; `unknown` where it does not say one."""
    return str(CompiledPipeline(version.spec, {}).parameters.get("commit", {}).get("defaultValue", "unknown"))


def expected_files(arguments: Mapping[str, Any], version: Version) -> list[str]:
    """Where the run will look for its spans, one line for each."""
    folder = (
        arguments.get("spans_uri")
        or version.spec["root"]["inputDefinitions"]["parameters"]["spans_uri"]["defaultValue"]
    )
    return [f"{folder}/{span.file} (md5 {span.md5})" for span in read_spans(str(arguments["spans"]))]


def key_of(version: Version, arguments: Mapping[str, Any], pipeline_root: str = "") -> str:
    """The idempotency key of a run that was given none: the same version, arguments and root give the same; the reason does not count."""
    counted = {name: value for name, value in arguments.items() if name != "reason"}
    if pipeline_root:
        counted["pipeline_root"] = pipeline_root
    text = json.dumps([version.version_id, counted], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_arguments(arguments: Mapping[str, Any], file: Path) -> None:
    """Write them as JSON, whole or not at all. Raises SettingsError where the file cannot be written."""
    try:
        write_whole(file, json.dumps(arguments, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise SettingsError(
            f"the arguments cannot be written: {error}; name another --arguments-file"
        ) from error


def _code(settings: Settings) -> str:
    return code_fingerprint(provenance.REPOSITORY, provenance.code_folders(settings.use_case))


def _check_code(mine: str, version: Version, defaults: Mapping[str, Any]) -> None:
    if "code" not in defaults:
        raise SettingsError(
            f"version {version.name} was not made by `pedalflow compile`: it has no parameter code"
        )
    if mine != defaults["code"]:
        raise SettingsError(
            f"version {version.name} runs the code of commit {str(defaults.get('commit'))[:12]}, and this checkout holds other code "
            f"({mine[:12]}…); deploy this code, check that commit out, or start the version as it is with --as-deployed"
        )


def _check_image(typed: Mapping[str, Any], version: Version, defaults: Mapping[str, Any]) -> None:
    compiled = defaults.get(IMAGE_DIGEST)
    if typed.get(IMAGE_DIGEST, compiled) != compiled:
        raise SettingsError(
            f"version {version.name} runs in the image with the digest {compiled}, and not in {typed[IMAGE_DIGEST]!r}; name the version "
            f"that was compiled with that image with --version, or leave {IMAGE_DIGEST} out"
        )


def _champion(
    typed: Mapping[str, Any], defaults: Mapping[str, Any], settings: Settings, wish: Wish
) -> dict[str, str]:
    """A name that was typed needs no registry; a URI that was typed needs a name beside it, which the run itself checks."""
    beside = str(defaults["champion_uri"])
    if "champion" in typed:
        return champion_arguments(str(typed["champion"]), beside)
    if typed.keys() & set(CHAMPION):
        return {}
    registry = {**defaults, **typed}
    uri = wish.registry_uri or settings.registry.tracking_uri or str(registry["registry_uri"])
    name, place = _serving(uri, str(registry["registry_name"]))
    return champion_arguments(name, beside, place)


def _serving(uri: str, name: str) -> tuple[str, str]:
    """Name and place of the release that the registry calls champion, both empty for none."""
    from mlflow.exceptions import MlflowException  # MLflow takes seconds to import

    from components.registry import Registry, champion

    try:
        serves = champion(Registry(uri, name, ""))
    except MlflowException as error:
        raise RunFailed(
            f"MLflow at {uri} did not say which release serves ({str(error).splitlines()[0][:200]}); give its address as this machine "
            "reaches it with --registry-uri, or the release with --param champion=NAME (nothing after the = for none)"
        ) from error
    return (serves.release, serves.uri) if serves else ("", "")
