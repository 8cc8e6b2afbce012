"""The whole stack, imported and used in one real process, says nothing; we are heard."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pedalflow.command import runtimes

SCRIPT = """
from pedalflow.quiet import silence
silence()
import logging, warnings
from tfx import v1 as tfx
import tensorflow as tf
import absl.logging, mlflow, tensorflow_transform

@tf.function
def double(x):
    return x * 2

class Held(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return x + double(x)

held = Held()
assert float(held(tf.constant([2.0]))[0]) == 6.0
absl.logging.info("theirs")
absl.logging.warning("theirs")
warnings.warn_explicit("theirs", FutureWarning, tf.__file__, 1)
warnings.warn_explicit("theirs", UserWarning, mlflow.__file__, 1)
logging.getLogger("pedalflow.x").info("our message")
warnings.warn("our warning")
logging.getLogger("tensorflow").error("their error")
"""


def test_tfx_tensorflow_and_mlflow_are_silent_and_ours_is_shown(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [str(runtimes.python_of("pipelines")), str(script)]
    surroundings = runtimes.surroundings(os.environ, verbose=False)
    done = subprocess.run(
        command, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "our message",
        "pedalflow: warning: our warning",
        "tensorflow: error: their error",
    ]
