"""Uploads a compiled pipeline as a version: one for each commit, image and set of parameters, however often it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pedalflow.errors import SettingsError
from pedalflow.spans import Span
from pipelines.arrivals.window import fingerprint
from pipelines.kubeflow.api_calls import Kubeflow, Version
from pipelines.kubeflow.api_once import find_or_make
from pipelines.kubeflow.compilation import UNPUBLISHED
from pipelines.kubeflow.compiled import CompiledPipeline, read_with_content

NO_DIGEST = f"@{UNPUBLISHED.partition('@')[2]}"
LONGEST_TAG = 63


@dataclass(frozen=True)
class Candidate:
    """A compiled file that may be deployed."""

    content: bytes
    pipeline: CompiledPipeline

    @property
    def commit(self) -> str:
        """The commit of the code that it runs."""
        return str(self._default("commit"))

    @property
    def dirty(self) -> bool:
        """Whether that code differs from its commit."""
        return bool(self._default("dirty"))

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its tasks."""
        return tuple(sorted(set(_images(self.pipeline.spec["deploymentSpec"]["executors"]))))

    @property
    def version(self) -> str:
        """The commit, and what tells other images and parameters of the same commit apart."""
        changed = "-changed" if self.dirty else ""
        return f"{self.commit[:12]}{changed}-{hashlib.sha256(self.content).hexdigest()[:8]}"

    def _default(self, name: str) -> Any:
        try:
            return self.pipeline.parameters[name]["defaultValue"]
        except KeyError as error:
            raise SettingsError(
                f"the compiled pipeline does not say its {name}; `pedalflow compile` makes one that does"
            ) from error


@dataclass(frozen=True)
class Deployed:
    """The version on the server; `made` is False where it was there already."""

    version: Version
    made: bool


def candidate(file: Path, *, allow_dirty: bool) -> Candidate:
    """Read what is to be deployed.

    Raises:
        SettingsError: it is no compiled pipeline, would not run on Kubeflow, names no published image, or comes from changed code.
    """
    pipeline, content = read_with_content(file)
    read = Candidate(content, pipeline)
    unpublished = [image for image in read.images if image.endswith(NO_DIGEST)]
    if unpublished:
        raise SettingsError(
            f"{file} names the image {unpublished[0]}, which was never published; compile it with --image NAME@sha256:DIGEST"
        )
    if read.dirty and not allow_dirty:
        raise SettingsError(
            f"{file} was compiled from code that differs from the commit {read.commit[:12]}, so nobody could build it again; "
            "commit and compile again, or deploy it with --allow-dirty"
        )
    return read


def tags(deployed: Candidate, spans: Sequence[Span]) -> dict[str, str]:
    """What people look for versions by: the code, and the data that was there. Servers from 2.17 on keep them."""
    found = {"commit": deployed.commit, "code": str(deployed.pipeline.parameters["code"]["defaultValue"])}
    if spans:
        found["data"] = f"spans-{spans[0].number}-{spans[-1].number}-{fingerprint(spans)[:12]}"
    return {name: value[:LONGEST_TAG] for name, value in found.items()}


def deploy(server: Kubeflow, name: str, deployed: Candidate, kept: Mapping[str, str]) -> Deployed:
    """Upload the version to the pipeline `name`, which is made where it is missing. What is there already stays as it is.

    Raises what `Api` raises.
    """
    pipeline, _ = find_or_make(lambda: server.pipeline(name), lambda: server.make_pipeline(name))
    version, what = deployed.version, f"commit {deployed.commit}, image {', '.join(deployed.images)}"
    return Deployed(
        *find_or_make(
            lambda: server.version_named(pipeline, version),
            lambda: server.upload_version(pipeline, version, deployed.content, kept, what),
        )
    )


def _images(executors: Mapping[str, Any]) -> Iterator[str]:
    for executor in executors.values():
        if "container" in executor:
            yield executor["container"]["image"]
