"""What MkDocs does for our docs beside its own work: the README is the first page, and a file that a page links to is a page too.

The docs link to the code beside them (`../serving/rollout.py`), as one reads them in a checkout. A site has no code beside it, so each
linked file becomes a page with its text; a link to a file that does not exist stays as it is, and `--strict` fails on it.
The README's diagram is drawn already (`diagram.py`), since drawing it in the browser takes a script from elsewhere.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

from tools.site.diagram import BLOCK

ROOT = Path(__file__).resolve().parents[2]
DOCS = "docs"
DRAWING = "![From raw hours to the champion, and from live requests back to a retraining](docs/images/how-it-works.svg)"
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_FENCES = {".py": "python", ".yml": "yaml", ".yaml": "yaml", ".toml": "toml", ".json": "json"}


def on_files(files: Files, config: Any) -> Files:
    """Adds the README as `index.md`, and a page for every file outside docs/ that a page links to."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=_with_drawing(readme)))
    linked = {
        target
        for page in [*files.documentation_pages()]
        for target in _outside(page.src_uri, page.content_string)
    }
    for target in sorted(linked):
        page = File.generated(config, _page_of(target), content=_as_page(target))
        page.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Points links that leave docs/ to the pages of those files."""

    def pointed(match: re.Match[str]) -> str:
        target = _in_repository(page.file.src_uri, match.group(2))
        if target is None:
            return match.group(0)
        inside = _page_of(target) if not target.startswith(f"{DOCS}/") else target.removeprefix(f"{DOCS}/")
        start = posixpath.dirname(page.file.src_uri) or "."
        return match.group(1) + posixpath.relpath(inside, start) + match.group(3)

    return _LINK.sub(pointed, markdown)


def _with_drawing(readme: str) -> str:
    return BLOCK.sub(f"{DRAWING}\n", readme)


def _outside(page: str, text: str) -> set[str]:
    found = (_in_repository(page, match.group(2)) for match in _LINK.finditer(text))
    return {target for target in found if target is not None and not target.startswith(f"{DOCS}/")}


def _in_repository(page: str, link: str) -> str | None:
    """The path in the repository that a link of a page means; None where it is no file of it. The README lies beside docs/."""
    if "://" in link or link.startswith(("mailto:", "/")):
        return None
    if page.startswith("source/"):
        folder = posixpath.dirname(page.removeprefix("source/"))
    else:
        folder = "" if page == "index.md" else posixpath.join(DOCS, posixpath.dirname(page))
    target = posixpath.normpath(posixpath.join(folder, link))
    return target if (ROOT / target).is_file() else None


def _page_of(target: str) -> str:
    return f"source/{target}" if target.endswith(".md") else f"source/{target}.md"


def _as_page(target: str) -> str:
    text = (ROOT / target).read_text(encoding="utf-8")
    if target.endswith(".md"):
        return text
    return f"# {target}\n\n````{_FENCES.get(Path(target).suffix, '')}\n{text}\n````\n"
