"""Where Kubeflow is looked for, and that a token goes nowhere where others could read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pedalflow.errors import SettingsError
from pipelines.kubeflow.api_connection import POD_HOST, Connection, account_of, connection_of

NOWHERE = Path("/nowhere")
ENVIRONMENT = {
    "PEDALFLOW_KFP_HOST": "https://of.the.environment/",
    "PEDALFLOW_KFP_NAMESPACE": "env",
    "PEDALFLOW_KFP_TOKEN_FILE": "/env/token",
}


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, Path]:
    """What is mounted into the pod of a notebook."""
    token, namespace = tmp_path / "token", tmp_path / "namespace"
    token.write_text("projected")
    namespace.write_text("team\n")
    return {"pod_token": token, "pod_namespace": namespace}


def found(options: dict[str, Any], environment: dict[str, str] | None = None) -> Connection:
    return connection_of(options, environment or {}, NOWHERE, NOWHERE)


def test_options_go_before_the_environment() -> None:
    given = {
        "host": "https://given/pipeline/",
        "namespace": None,
        "token_file": Path("/given"),
        "ca_file": None,
    }
    assert found(given, ENVIRONMENT) == Connection("https://given/pipeline", "env", Path("/given"))


def test_the_environment_is_enough() -> None:
    assert found({}, ENVIRONMENT) == Connection("https://of.the.environment", "env", Path("/env/token"))


def test_a_port_forward_needs_an_address_and_nothing_else() -> None:
    assert found({"host": "http://localhost:8888"}) == Connection("http://localhost:8888")


def test_in_a_notebooks_pod_nothing_has_to_be_said(pod: dict[str, Path]) -> None:
    assert connection_of({}, {}, **pod) == Connection(POD_HOST, "team", pod["pod_token"])


def test_the_pods_token_may_lie_where_the_variable_says(pod: dict[str, Path]) -> None:
    environment = {"KF_PIPELINES_SA_TOKEN_PATH": str(pod["pod_token"])}
    assert connection_of({}, environment, NOWHERE, NOWHERE).token_file == pod["pod_token"]


@pytest.mark.parametrize(
    ("host", "goes"),
    [
        ("http://ml-pipeline-ui.kubeflow.svc.cluster.local", True),
        ("http://ml-pipeline.other.svc:8888", True),
        ("https://kubeflow.example.org", False),
        ("http://localhost:8888", False),
    ],
)
def test_the_pods_token_goes_to_its_own_cluster_only(host: str, goes: bool, pod: dict[str, Path]) -> None:
    connection = connection_of({"host": host}, {}, **pod)
    assert (connection.token_file, connection.namespace) == (
        (pod["pod_token"], "team") if goes else (None, "")
    )


def test_a_token_that_was_given_goes_before_the_pods(pod: dict[str, Path]) -> None:
    assert connection_of({"host": POD_HOST, "token_file": "/mine"}, {}, **pod) == Connection(
        POD_HOST, "", Path("/mine")
    )


def test_without_any_address_the_ways_to_give_one_are_named() -> None:
    with pytest.raises(SettingsError, match=r"--host URL or \$PEDALFLOW_KFP_HOST.*port-forward"):
        found({})


@pytest.mark.parametrize(
    "host",
    [
        "kubeflow.example.org",
        "ftp://kubeflow.example.org",
        "https://",
        "https://me:secret@kubeflow.example.org",
        "https://kubeflow.example.org/?token=secret",
        "http://localhost:port",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(SettingsError, match="is none such as") as error:
        found({"host": host})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("https://kubeflow.example.org", True),
        ("HTTPS://kubeflow.example.org", True),
        ("http://localhost:8888", True),
        ("http://127.0.0.1:8888", True),
        ("http://[::1]:8888", True),
        (POD_HOST, True),
        ("http://kubeflow.example.org", False),
        ("http://10.0.0.7:8888", False),
        ("http://localhost.example.org", False),
    ],
)
def test_a_token_is_not_sent_in_the_clear_through_a_network(host: str, may: bool) -> None:
    if may:
        assert found({"host": host, "token_file": "/token"}).host == host
        return
    with pytest.raises(SettingsError, match="in the clear; use an https address"):
        found({"host": host, "token_file": "/token"})


@pytest.mark.parametrize(
    ("option", "variable", "account"),
    [("mine", "env", "mine"), (None, "env", "env"), (None, "", ""), (None, None, "")],
)
def test_the_account_of_a_run_is_the_options_then_the_environments(
    option: str | None, variable: str | None, account: str
) -> None:
    environment = {} if variable is None else {"PEDALFLOW_KFP_SERVICE_ACCOUNT": variable}
    assert account_of({"service_account": option}, environment) == account


def test_a_missing_file_of_certificates_is_named() -> None:
    with pytest.raises(SettingsError, match=r"no file /nowhere/ca\.pem"):
        found({"host": "https://kubeflow.example.org", "ca_file": "/nowhere/ca.pem"})
