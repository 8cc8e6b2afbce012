"""JupyterLab in a pod: at the prefix that Kubeflow's notebook controller gives, in a home that is a volume.

Kubeflow's gateway has let in the notebook's owner alone before a request comes here, so there is no token. Anywhere else, where
no prefix is given, Jupyter makes its own token and prints it.
"""

import os
import shutil
from pathlib import Path

home = Path.home()
examples = Path(__file__).resolve().parents[1] / "notebooks"
if not (home / "notebooks").exists():
    shutil.copytree(examples, home / "notebooks", copy_function=shutil.copyfile)

c = get_config()  # type: ignore[name-defined]  # noqa: F821  # Jupyter puts it there
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = str(home)
if prefix := os.environ.get("NB_PREFIX"):
    c.ServerApp.base_url = prefix
    c.IdentityProvider.token = ""
