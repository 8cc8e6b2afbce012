"""Draws the README's diagram for the site, which shows it without a script: `python tools/site/diagram.py mermaid.min.js`.

It needs chromium, and mermaid's own file `dist/mermaid.min.js` (`npm pack mermaid@11` fetches the package). GitHub draws the same source
by itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DRAWN = ROOT / "docs" / "images" / "how-it-works.svg"
BLOCK = re.compile(r"^```mermaid\n(.+?)^```\n", re.MULTILINE | re.DOTALL)
PAGE = """<!doctype html><meta charset="utf-8"><body><script>{mermaid}</script><script>
mermaid.initialize({{startOnLoad: false, theme: "neutral", htmlLabels: false, flowchart: {{htmlLabels: false, useMaxWidth: false}},
  fontFamily: "Helvetica, Arial, sans-serif"}});
mermaid.render("diagram", {source}).then(drawn => {{ document.body.innerHTML = drawn.svg; }});
</script>"""


def source_of(readme: str) -> str:
    """What the README's one diagram is drawn from."""
    [source] = BLOCK.findall(readme)
    return str(source)


def mark_of(source: str) -> str:
    """The comment in a drawing that says which source it was made from."""
    return f"<!-- drawn from {hashlib.sha256(source.encode()).hexdigest()} -->"


def drawn(source: str, mermaid: str) -> str:
    """The diagram as SVG that shows everywhere: its text is text of SVG, and its ground is white."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE.format(mermaid=mermaid, source=json.dumps(source)), encoding="utf-8")
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--virtual-time-budget=20000", "--dump-dom", f"file://{page}"],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
    svg = re.search(r"(?<=<body>)<svg.*</svg>(?=\s*</body>)", done.stdout, re.DOTALL)
    if svg is None:
        raise SystemExit(
            "mermaid drew nothing; look at the diagram's source on GitHub, which shows its error"
        )
    return svg[0].replace("<svg ", '<svg style="background: white" ', 1) + "\n" + mark_of(source) + "\n"


def main(arguments: list[str]) -> None:
    """Draw it anew."""
    source = source_of(README.read_text(encoding="utf-8"))
    DRAWN.write_text(drawn(source, Path(arguments[0]).read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
