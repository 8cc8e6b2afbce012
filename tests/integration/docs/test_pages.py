"""The commands that the docs show are executed, page by page and in the order of the page, and none of them fails."""

from __future__ import annotations

import shutil

import pytest

from tests.integration.docs.answers import form, given, shown
from tests.integration.docs.world import BEFORE, DocsWorld
from tests.samples.docs_blocks import PAGES, ROOT, SCRIPTS, blocks

EXECUTED = (*SCRIPTS, "python")
NEEDS = {"curl ": "curl", "openssl ": "openssl", "tools.monitoring.local": "prometheus"}
ALL = {page.relative_to(ROOT).as_posix(): blocks(page) for page in PAGES}
WITH_COMMANDS = {
    page: found for page, found in ALL.items() if any(block.language in EXECUTED for block in found)
}


def skip_without(commands: str) -> None:
    """Skip where a program of the machine's own that the commands call is not there."""
    missing = [name for call, name in NEEDS.items() if call in commands and shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)}: apt-get install {' '.join(missing)}")


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_work(world: DocsWorld, page: str) -> None:
    skip_without("\n".join([*BEFORE.get(page, ()), *(block.script for block in WITH_COMMANDS[page])]))
    world.run(page, WITH_COMMANDS[page])
    for block, answer in shown(WITH_COMMANDS[page]):
        assert form(given(block, world.out)) == form(answer), f"{block}: the page shows another answer"
