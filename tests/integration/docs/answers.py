"""What a request on a page was answered with, beside the answer that the page shows: the values are others, the form is the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.samples.docs_blocks import Block


def shown(blocks: Sequence[Block]) -> Iterator[tuple[Block, Any]]:
    """Each block with a request that a block with its JSON answer follows, and that answer."""
    for block, following in pairwise(blocks):
        if "curl " in block.script and following.language == "text":
            answer = _body(following.text)
            if answer is not None:
                yield block, answer


def given(block: Block, out: Path) -> Any:
    """What came back when the page was executed."""
    return _body((out / f"{block.line}.txt").read_text(encoding="utf-8"))


def form(value: Any) -> Any:
    """Names and kinds of what a value holds; of a list, those of its first element."""
    if isinstance(value, dict):
        return {name: form(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [form(inner) for inner in value[:1]]
    return "number" if type(value) in (int, float) else type(value).__name__


def _body(text: str) -> Any:
    """The JSON in the last line of an answer, None where it is none."""
    last = text.rstrip().rpartition("\n")[2]
    return json.loads(last) if last.startswith("{") else None
