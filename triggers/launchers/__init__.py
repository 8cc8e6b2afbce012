"""Launchers: what starts a run of the pipeline, on this machine, on Kubeflow, or by asking a build service."""
