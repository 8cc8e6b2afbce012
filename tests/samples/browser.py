"""A headless Chromium that opens one page and tells what became of it; nothing of it is left afterwards."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--hide-scrollbars",  # so that the frame's width is the page's
    "--enable-logging=stderr",
)
DARK = "--blink-settings=preferredColorScheme=0"
PATIENCE_S = 180.0

needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="needs a browser to look at the page: apt-get install chromium"
)


def opened(folder: Path, address: str, *flags: str) -> tuple[str, str]:
    """The document as the browser has it, and what it logged; its whole process group is gone afterwards."""
    # Its own temporary files lie beside the test's: the name of a socket in them has 107 letters at most, or the browser aborts.
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as short:
        private = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
        process = subprocess.Popen(
            [str(BROWSER), *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **private, "TMPDIR": short},
            start_new_session=True,
        )
        try:
            output, log = process.communicate(timeout=PATIENCE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return output.decode(), log.decode(errors="replace")


def measured(script: str, page: str, width: int, folder: Path, *flags: str) -> dict[str, Any]:
    """What `script` finds of `page` in a frame of `width` CSS pixels.

    The page runs in the frame and lets no script in, so a script outside measures it: `script` has a `%d` for the width and a `%s` for
    the page, and leaves its findings as JSON in a `<pre>`.
    """
    outer = folder / "outer.html"
    outer.write_text(script % (width, html.escape(page)), encoding="utf-8")
    output, _ = opened(folder, outer.as_uri(), *flags)
    found = re.search(r"<pre>(.*?)</pre>", output, re.DOTALL)
    assert found, "the browser did not finish measuring"
    values: dict[str, Any] = json.loads(html.unescape(found.group(1)))
    return values
