"""What holds of all commands in the docs: each calls a program of one table, has no placeholder left, and fails its page where it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.docs import programs
from tests.integration.docs.test_pages import WITH_COMMANDS, skip_without
from tests.integration.docs.wording import Addresses, as_executed, unfilled
from tests.integration.docs.world import DocsWorld, PageFailed
from tests.samples.docs_blocks import ROOT, Block, inline

AT = Addresses(24000, "http://127.0.0.1:1", "sqlite:////registry", "http://127.0.0.1:2")
BLOCKS = [block for found in WITH_COMMANDS.values() for block in found if block.script]
# Inline, these are spoken about and not given to be typed: the options are left out.
SPOKEN_OF = {
    "kubectl apply",
    "kubectl apply -k",
    "kubectl kustomize",
    "kubectl port-forward",
    "kubectl create token",
}

KUBECTL_IN_THE_TEXT = [
    (place, text) for place, text in inline("kubectl ") if "…" not in text and text not in SPOKEN_OF
]


def test_a_program_is_in_one_table() -> None:
    counted = Counter(name for table in programs.TABLES for name in table)
    assert {name for name, count in counted.items() if count > 1} == set()


@pytest.mark.parametrize("name", [*programs.IN_PART, *programs.NOT_HERE])
def test_what_is_not_run_for_real_is_called_by_a_page(name: str) -> None:
    """Else its line goes out of the table."""
    assert any(name in block.script.split() or f"({name} " in block.script for block in BLOCKS)


def test_what_a_target_of_make_does_is_run_somewhere() -> None:
    shown = {
        target for block in BLOCKS for target in re.findall(r"^make ([a-z-]+)", block.script, re.MULTILINE)
    }
    assert shown == set(programs.TARGETS)
    assert all((ROOT / path).is_file() for path in programs.TARGETS.values())


def test_every_placeholder_is_filled() -> None:
    left = {str(block): found for block in BLOCKS if (found := unfilled(as_executed(block.script, AT)))}
    assert left == {}, "wording.py has a table of placeholders"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("terraform apply", "'terraform' is in no table"),
        ("pedalflow data arrive nowhere.csv", "nowhere.csv"),
        ("make everything", "everything"),
        ("kubectl -n pedalflow scale deployment triggers --replicass=0", "unknown flag: --replicass"),
        ("kubectl apply -k k8s/overlays/nowhere", "k8s/overlays/nowhere"),
        ("echo $NOBODY", "NOBODY: unbound variable"),
        ("printf '%s' '{}' | python -m json.tool nowhere.json | cat", "nowhere.json"),
    ],
)
def test_a_command_that_fails_fails_its_page_and_is_named(world: DocsWorld, script: str, said: str) -> None:
    blocks = [Block("docs/x.md", 1, "sh", "true\n"), Block("docs/x.md", 7, "sh", f"{script}\ntrue\n")]
    with pytest.raises(PageFailed, match=r"docs/x\.md:7") as failed:
        world.run("docs/x.md", blocks)
    assert said in str(failed.value)


def test_an_answer_that_is_an_error_fails_unless_the_page_shows_it(world: DocsWorld) -> None:
    skip_without("curl ")
    asked = "curl -s http://127.0.0.1:9000/api/v1.0/predictions -H 'Content-Type: application/json' -d '{}'\n"
    shown = Block("docs/x.md", 9, "text", '{"status":{"status":"FAILURE"}}\n')
    serve, curl = Block("docs/x.md", 1, "sh", "pedalflow serve\n"), Block("docs/x.md", 5, "sh", asked)
    world.run("docs/x.md", [serve, curl, shown])
    with pytest.raises(PageFailed, match=r"docs/x\.md:5"):
        world.run("docs/x.md", [serve, curl])


@pytest.mark.parametrize(("place", "text"), KUBECTL_IN_THE_TEXT, ids=str)
def test_a_call_of_kubectl_in_the_text_is_one_that_kubectl_takes(
    tmp_path: Path, place: str, text: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(programs.STAND_INS), *text.replace("POD", "pod").split()],
        cwd=ROOT,
        env={**os.environ, "DOCS_PLACE": str(tmp_path), "DOCS_USUAL_PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{place}: {done.stderr}"
