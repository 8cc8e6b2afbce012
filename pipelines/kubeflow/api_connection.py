"""How Kubeflow Pipelines is reached: options, then the environment, then what the pod of a notebook is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pedalflow.errors import SettingsError

VARIABLES = {
    "host": "PEDALFLOW_KFP_HOST",
    "namespace": "PEDALFLOW_KFP_NAMESPACE",
    "token_file": "PEDALFLOW_KFP_TOKEN_FILE",
    "ca_file": "PEDALFLOW_KFP_CA_FILE",
}
ACCOUNT_VARIABLE = "PEDALFLOW_KFP_SERVICE_ACCOUNT"
# What Kubeflow's own SDK looks for in a pod.
POD_TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
POD_HOST = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
_IN_CLUSTER = (".svc", ".svc.cluster.local")
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Connection:
    """Address of the API without a slash at its end; the profile's namespace, empty on a Kubeflow for one user; files or None.

    Raises:
        SettingsError: the address is none, holds credentials, or would carry the token in the clear through a network.
    """

    host: str
    namespace: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        _check_host(self.host)
        if self.token_file and not (self.encrypted or _stays_near(self.host)):
            raise SettingsError(
                f"{self.host} would carry the token in the clear; use an https address, or a port-forward to localhost"
            )
        if self.ca_file and not self.ca_file.is_file():
            raise SettingsError(f"there is no file {self.ca_file}; give the authority's certificates as PEM")

    @property
    def encrypted(self) -> bool:
        """Whether the address is one of https, in capitals or not."""
        return urlsplit(self.host).scheme == "https"


def connection_of(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    pod_token: Path = POD_TOKEN,
    pod_namespace: Path = POD_NAMESPACE,
) -> Connection:
    """What `options` give, else the environment's variables, else what a pod with a projected token has.

    Raises SettingsError where no address is known, or the connection would not do.
    """
    given = {name: str(options.get(name) or environment.get(VARIABLES[name], "")) for name in VARIABLES}
    if not given["token_file"]:
        given |= _of_the_pod(given, Path(environment.get(POD_TOKEN_VARIABLE) or pod_token), pod_namespace)
    if not given["host"]:
        raise SettingsError(
            f"no address of Kubeflow Pipelines; give --host URL or ${VARIABLES['host']}, such as http://localhost:8888 after "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888`"
        )
    return Connection(
        given["host"].rstrip("/"), given["namespace"], _path(given["token_file"]), _path(given["ca_file"])
    )


def account_of(options: Mapping[str, object], environment: Mapping[str, str]) -> str:
    """The service account of a run's pods: what `options` give, else the environment's variable; empty for the server's own."""
    return str(options.get("service_account") or environment.get(ACCOUNT_VARIABLE, ""))


def read_token(file: Path) -> str:
    """The token, read again for every request because such files are renewed. Raises SettingsError where there is none."""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the token file {file} cannot be read ({type(error).__name__}); make it readable"
        ) from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(f"the token file {file} holds no token; write one into it, on one line")
    return token


def _of_the_pod(given: Mapping[str, str], token: Path, namespace: Path) -> dict[str, str]:
    """The projected token is for the API of the cluster that the pod runs in, so it goes nowhere else."""
    host = given["host"] or POD_HOST
    if not token.is_file() or not _in_cluster(host):
        return {}
    mine = namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else ""
    return {"host": host, "namespace": given["namespace"] or mine, "token_file": str(token)}


def _check_host(host: str) -> None:
    try:
        parts = urlsplit(host)
        right = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.query
        )
    except ValueError:
        right = False
    if not right or "@" in parts.netloc:
        raise SettingsError(
            "the address of Kubeflow Pipelines is none such as https://kubeflow.example.org/pipeline, without a user or password"
        )


def _stays_near(host: str) -> bool:
    return urlsplit(host).hostname in _HERE or _in_cluster(host)


def _in_cluster(host: str) -> bool:
    return (urlsplit(host).hostname or "").endswith(_IN_CLUSTER)


def _path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None
