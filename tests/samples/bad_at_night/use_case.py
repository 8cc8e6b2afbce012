"""The use case: bike sharing's, with another `run_fn`."""

from __future__ import annotations

from dataclasses import replace

from bikeshare import use_case

USE_CASE = replace(
    use_case.USE_CASE, name="bad_at_night", run_fn="tests.samples.bad_at_night.training.run_fn"
)
