"""The files beside the report's code: templates and style sheets."""

from __future__ import annotations

from importlib import resources

PACKAGE = "pipelines.report"


def resource(name: str) -> str:
    """The text of one of them."""
    return resources.files(PACKAGE).joinpath(name).read_text(encoding="utf-8")
