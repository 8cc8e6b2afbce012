"""Flow 1, with its quick pipeline for real; of `make` only whether it would know what to do, for what it does is tested on its own."""

from __future__ import annotations

from tests.samples.workflow_world import World


def test_a_pull_request_trains_compiles_and_rehearses_and_keeps_the_report(world: World) -> None:
    runner = world.runner("checks", {}, {}, {})
    runner.run("checks.yml")
    said = {ran.step: ran.said for ran in runner.ran}
    assert {"check", "render and check every overlay", "build, push nothing", "compile"} <= said.keys()
    assert "r-" in said["rehearse"]
    assert list((world.artifacts / "report").rglob("*.html"))
