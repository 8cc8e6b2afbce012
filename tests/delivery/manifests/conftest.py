"""The overlays, rendered once for all tests of the manifests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.samples.rendered_manifests import rendered
from tools.manifest_rules.objects import Bundle


@pytest.fixture(scope="session")
def bundles() -> Mapping[str, Bundle]:
    """By name."""
    return {name: rendered(name) for name in ("local", "staging", "production")}
