"""The docs as a site: it builds without a warning, every page is reachable, and no link of it is dead."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tools.site.diagram import mark_of, source_of

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "tools" / "site" / "mkdocs.yml"


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = build(CONFIG, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """The links, sources and ids of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if value and (name == "href" or (name == "src" and tag in ("img", "script"))):
                self.links.append(value)


def pages(site: Path) -> Iterator[Path]:
    return (page for page in sorted(site.rglob("*.html")) if page.name != "404.html")


def test_no_link_within_the_site_is_dead(site: Path) -> None:
    known = {page: Page(page) for page in pages(site)}
    dead = []
    for path, page in known.items():
        for link in page.links:
            address, fragment = urldefrag(link)
            if re.match(r"[a-z]+:", link) or link.startswith("//"):
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            missing = not target.is_file() or (
                fragment and target in known and unquote(fragment) not in known[target].ids
            )
            if missing:
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


def test_a_page_asks_nobody_else_for_anything_to_be_shown(site: Path) -> None:
    elsewhere = {
        link
        for path in pages(site)
        for link in re.findall(r'(?:src|<link[^>]+href)="(https?://[^"]+)"', path.read_text("utf-8"))
    }
    assert elsewhere == set()


def test_every_page_of_the_docs_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        built = site / page.relative_to(ROOT / "docs").with_suffix(".html")
        assert built.is_file() or built.with_name("index.html").is_file(), page


def test_the_diagram_is_shown_as_a_picture_that_is_drawn_from_the_readme(site: Path) -> None:
    start = (site / "index.html").read_text("utf-8")
    assert "images/how-it-works.svg" in start and "flowchart" not in start
    drawing = (site / "images" / "how-it-works.svg").read_text("utf-8")
    mark = mark_of(source_of((ROOT / "README.md").read_text("utf-8")))
    assert mark in drawing, "the README's diagram has changed: draw it again as tools/site/diagram.py says"


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "page.md").write_text("[gone](nowhere.md)\n", encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    text = CONFIG.read_text(encoding="utf-8").replace("../../docs", str(docs))
    text = text.replace("hooks: [hooks.py]", "").partition("nav:")[0] + "nav: [page.md]\n"
    config.write_text(text, encoding="utf-8")
    done = build(config, tmp_path / "site")
    assert done.returncode != 0 and "nowhere.md" in done.stderr
