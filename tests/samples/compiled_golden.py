"""The compiled pipeline as it is kept, and what it is compiled from. It never renews itself: after a change that is meant, run

    .venv/pipelines/bin/python tests/samples/compiled_golden.py

and read what the difference says.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.kubeflow.compilation import Compilation

GOLDEN = Path(__file__).parent / "compiled" / "pedalflow.yaml"
MAKINGS = Compilation(
    use_case="bikeshare",
    image=f"registry.example.org/pedalflow-pipelines@sha256:{'1' * 64}",
    commit="c" * 40,
    dirty=False,
    code="f" * 64,
    parameters={
        "model": {"members": 1, "units": [16], "epochs": 3, "learning_rate": 0.02, "seed": 7},
        "tuner": {"trials": 2, "validation_days": 28},
        "gates": {
            "minimum_rows": 168,
            "maximum_wape": 0.4,
            "minimum_skill": 0.1,
            "slice_minimum_rows": 24,
            "slice_maximum_ratio": 1.5,
            "champion_tolerance": 0.02,
            "champion_slice_tolerance": 0.35,
        },
        "detectors": {
            "window_rows": 168,
            "drift_false_alarm_rate": 0.05,
            "concept_false_alarms_per_year": 0.5,
            "outlier_flag_rate": 0.002,
            "background_rows": 16,
        },
    },
    registry_uri="http://mlflow.pedalflow.svc.cluster.local:5000",
    registry_name="bike-demand",
)


def main() -> None:
    """Compile again and keep it."""
    from pipelines.kubeflow.compile import as_yaml, compile_pipeline, write

    write(as_yaml(compile_pipeline(MAKINGS)), GOLDEN)
    print(f"{GOLDEN} was written; look at the difference before you commit it")


if __name__ == "__main__":
    main()
