"""The pipeline on Kubeflow: compiled, started task by task in containers, and rehearsed on this machine."""
