"""Third-party noise is held back; what is ours, and what is an error, is not. Seen in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

from pedalflow.quiet import is_ours

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
from pedalflow.quiet import silence
silence({verbose})
import json, logging, warnings
warnings.simplefilter("always")  # as some libraries do
logging.getLogger("pedalflow.x").info("ours: information")
logging.getLogger("bikeshare").warning("ours: warning")
logging.getLogger("someone.else").warning("theirs: warning")
logging.warning("theirs: on the root logger")
logging.getLogger("someone.else").error("theirs: error")
warnings.warn("ours: user warning")
warnings.warn("ours: advice for programmers", FutureWarning)
warnings.warn_explicit("theirs: user warning", UserWarning, json.__file__, 1)

class AtomicFunction:
    def __del__(self):
        raise RuntimeError("noise at exit")

class Other:
    def __del__(self):
        raise RuntimeError("a real one")

AtomicFunction()
Other()
"""


def _said(tmp_path: Path, verbose: bool) -> list[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(verbose=verbose), encoding="utf-8")
    command = [
        sys.executable,
        "-c",
        f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({str(script)!r})",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_only_our_messages_and_real_errors_are_shown(tmp_path: Path) -> None:
    said = _said(tmp_path, verbose=False)
    assert said[:4] == [
        "ours: information",
        "pedalflow: warning: ours: warning",
        "someone.else: error: theirs: error",
        "pedalflow: warning: ours: user warning",
    ]
    assert said[4].startswith("Exception ignored in: <function Other.__del__")
    assert said[-1] == "RuntimeError: a real one"
    assert not [line for line in said if "noise at exit" in line]


def test_verbose_shows_everything(tmp_path: Path) -> None:
    text = "\n".join(_said(tmp_path, verbose=True))
    for expected in (
        "theirs: warning",
        "theirs: on the root",
        "theirs: user warning",
        "advice",
        "noise at exit",
    ):
        assert expected in text


def test_code_among_the_libraries_is_theirs_unless_it_is_one_of_our_packages() -> None:
    site = Path("/env/lib/python3.10/site-packages")
    libraries = (site, site.parent)
    assert not is_ours(str(site / "tensorflow" / "x.py"), libraries)
    assert not is_ours(str(site.parent / "json" / "__init__.py"), libraries)
    assert not is_ours("<frozen importlib._bootstrap>", libraries)
    assert is_ours(str(site / "pipelines" / "x.py"), libraries)
    assert is_ours("/project/pipelines/x.py", libraries)
    assert not is_ours(warnings.__file__, (Path(warnings.__file__).resolve().parent,))
