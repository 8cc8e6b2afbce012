"""Runs a compiled pipeline on this machine, task by task, as Kubeflow's driver and launcher would."""
