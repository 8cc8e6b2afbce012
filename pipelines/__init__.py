"""The pipeline: one builder, a thin runner for each backend, and what happens before and after a run."""
