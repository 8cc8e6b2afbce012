"""The platform's manifests against the settings that the services read, against least rights, and against the pages that describe them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.samples.cluster_page import PAGE, keys_of_secrets, table
from tools import manifest_cost
from tools.manifest_rules import quota
from tools.manifest_rules.objects import Bundle, Object
from tools.manifest_rules.rendering import ROOT

OVERLAYS = ("local", "staging", "production")
TRIGGERS = ROOT / ".venv" / "triggers" / "bin" / "python"
PIPELINES = ROOT / ".venv" / "pipelines" / "bin"


def _settings_of(bundle: Bundle) -> tuple[str, Mapping[str, str]]:
    """The settings' file of the retraining service, and the variables that stand before it."""
    [settings] = [each for each in bundle.of("ConfigMap") if each.name.startswith("triggers-settings")]
    [pod] = [pod for pod in bundle.pods if pod.owner.name == "triggers" and pod.owner.kind == "Deployment"]
    variables = {each["name"]: each["value"] for each in pod.containers[0].get("env") or ()}
    return str(settings.body["data"]["triggers.yaml"]), variables


READ = """
import pathlib, sys
from triggers.settings import read_settings
print(read_settings(pathlib.Path(sys.argv[1])).launchers.retrain.value)
"""


def _read_by_the_service(file: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    if not TRIGGERS.exists():
        pytest.skip(
            'the environment of the triggers is missing; `make setup ENVIRONMENTS="triggers"` brings it'
        )
    return subprocess.run(
        [TRIGGERS, "-c", READ, str(file)], cwd=ROOT, env=dict(variables), capture_output=True, text=True
    )


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_service_itself_reads_its_settings(
    name: str, bundles: Mapping[str, Bundle], tmp_path: Path
) -> None:
    text, variables = _settings_of(bundles[name])
    (tmp_path / "triggers.yaml").write_text(text)
    done = _read_by_the_service(tmp_path / "triggers.yaml", variables)
    assert (done.stdout.strip(), done.returncode) == ("kubeflow", 0), done.stderr


def test_a_slip_of_the_pen_in_the_settings_would_be_found(
    bundles: Mapping[str, Bundle], tmp_path: Path
) -> None:
    text, variables = _settings_of(bundles["local"])
    (tmp_path / "triggers.yaml").write_text(text.replace("arguments_file:", "argument_file:"))
    done = _read_by_the_service(tmp_path / "triggers.yaml", variables)
    assert "argument_file" in done.stderr


@pytest.mark.parametrize("name", OVERLAYS)
def test_files_that_the_settings_name_are_keys_of_the_mounted_secret(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    text, _ = _settings_of(bundles[name])
    named = set(re.findall(r"_file: /secrets/(\w+)", text))
    known = keys_of_secrets()["triggers-secrets"]
    assert named <= known
    assert name == "local" or named == known


def test_the_webhooks_let_in_what_comes_from_outside_and_nothing_else(bundles: Mapping[str, Bundle]) -> None:
    """Their addresses are the service's own; the page, /api and the senders inside the cluster are not among them."""
    [ingress] = bundles["production"].of("Ingress")
    paths = [path for rule in ingress.spec["rules"] for path in rule["http"]["paths"]]
    assert {path["pathType"] for path in paths} == {"Exact"}
    assert {path["path"] for path in paths} == {"/events/github", "/events/pubsub", "/events/s3"}
    assert {rule["host"] for rule in ingress.spec["rules"]} == set(ingress.spec["tls"][0]["hosts"])


def _roles(bundle: Bundle) -> list[Object]:
    return [*bundle.of("Role", "ClusterRole")]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_role_is_wide(name: str, bundles: Mapping[str, Bundle]) -> None:
    """No star, nothing for the whole cluster, no writing of Roles or Secrets, and Secrets and ConfigMaps by name only."""
    for role in _roles(bundles[name]):
        assert role.kind == "Role"
        for rule in role.body["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], role.name
            kept = {"secrets", "configmaps"} & set(rule["resources"])
            assert not kept or rule.get("resourceNames"), role.name
            assert "secrets" not in rule["resources"] or rule["verbs"] == ["get"], role.name
            assert "rbac.authorization.k8s.io" not in rule["apiGroups"], role.name


@pytest.mark.parametrize("name", OVERLAYS)
def test_accounts_without_rights_have_no_token_in_their_pods(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    """The pods of runs are Kubeflow's, which need theirs; a notebook uses Kubeflow's own account."""
    accounts = {each.name: each.body for each in bundles[name].of("ServiceAccount")}
    assert [n for n, body in accounts.items() if body.get("automountServiceAccountToken") is not False] == [
        "pedalflow-runs"
    ]


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_account_that_is_given_a_role_exists(name: str, bundles: Mapping[str, Bundle]) -> None:
    made = {(each.namespace, each.name) for each in bundles[name].of("ServiceAccount")}
    for binding in bundles[name].of("RoleBinding"):
        accounts = [each for each in binding.body["subjects"] if each["kind"] == "ServiceAccount"]
        assert {(each["namespace"], each["name"]) for each in accounts} <= made, binding.name
        roles = {(each.namespace, each.name) for each in _roles(bundles[name])}
        assert (binding.namespace, binding.body["roleRef"]["name"]) in roles


def test_what_the_compiled_pipeline_mounts_is_there(bundles: Mapping[str, Bundle]) -> None:
    """The claim and the Secrets that the golden file names, and the account that starts its runs."""
    golden = (ROOT / "tests" / "samples" / "compiled" / "pedalflow.yaml").read_text(encoding="utf-8")
    documents: list[Any] = list(yaml.safe_load_all(golden))
    asked = yaml.safe_dump(documents[1])
    claims = {each.name for each in bundles["production"].of("PersistentVolumeClaim")}
    assert set(re.findall(r"pvcNameParameter:\n.*\n\s+constant: (\S+)", asked)) <= claims
    assert set(re.findall(r"secretName: (\S+)", asked)) <= set(keys_of_secrets())


def test_runs_register_where_mlflow_is(bundles: Mapping[str, Bundle]) -> None:
    """What `pedalflow compile` writes without an option, and what the retraining service passes on."""
    [service] = [each for each in bundles["local"].of("Service") if each.name == "mlflow"]
    [port] = service.spec["ports"]
    address = f"http://{service.name}.{service.namespace}.svc.cluster.local:{port['port']}"
    compiled = (ROOT / "pipelines" / "kubeflow" / "compile_command.py").read_text(encoding="utf-8")
    assert f'IN_CLUSTER = "{address}"' in compiled
    for bundle in bundles.values():
        assert (
            yaml.safe_load(_settings_of(bundle)[0])["launchers"]["kubeflow"]["parameters"]["registry_uri"]
            == address
        )


def _variables(bundle: Bundle, prefix: str) -> Mapping[str, str]:
    """What a ConfigMap says that a generator made."""
    [found] = [each for each in bundle.of("ConfigMap") if each.name.startswith(prefix)]
    data: Mapping[str, str] = found.body["data"]
    return data


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_backup_copies_the_folders_that_others_write_and_read(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    """The spans of a run are in its parameter's default, below the storage that the page compiles with."""
    bundle = bundles[name]
    root = _variables(bundle, "kfp-launcher")["defaultPipelineRoot"]
    storage = root.rpartition("/")[0]
    saved = _variables(bundle, "backup")
    assert name == "staging" or f"--storage {storage} --pipeline-root {root}" in PAGE
    assert saved["SPANS"] == _in_rclone(f"{storage}/{_default_folder('spans_uri')}")
    assert saved["RELEASES"] == _variables(bundle, "publish-releases")["RELEASES"]
    assert saved["ARTIFACTS"] == _in_rclone(
        _variables(bundle, "mlflow-store")["MLFLOW_ARTIFACTS_DESTINATION"]
    )


def _in_rclone(address: str) -> str:
    return re.sub(r"^\w+://", "store:", address)


def _default_folder(parameter: str) -> str:
    """The folder below the storage, from the compiled pipeline's own default."""
    golden = (ROOT / "tests" / "samples" / "compiled" / "pedalflow.yaml").read_text(encoding="utf-8")
    [default] = re.findall(rf"^ +{parameter}:\n +defaultValue: (\S+)$", golden, re.M)
    return str(default).rpartition("/")[2]


def test_the_volume_of_releases_is_the_one_that_is_published(bundles: Mapping[str, Bundle]) -> None:
    for bundle in bundles.values():
        [job] = [pod for pod in bundle.pods if pod.owner.name == "publish-releases"]
        claims = {
            v["persistentVolumeClaim"]["claimName"]
            for v in job.spec["volumes"]
            if "persistentVolumeClaim" in v
        }
        assert claims == {"pedalflow-releases"}


def test_mlflow_knows_every_option_that_it_is_started_with(bundles: Mapping[str, Bundle]) -> None:
    """By the help of the version in our lock, which is of the same release line as the image."""
    if not (PIPELINES / "mlflow").exists():
        pytest.skip(
            'the environment of the pipelines is missing; `make setup ENVIRONMENTS="pipelines"` brings it'
        )
    [pod] = [pod for pod in bundles["local"].pods if pod.owner.name == "mlflow"]
    [container] = pod.containers
    done = subprocess.run(
        [PIPELINES / "mlflow", "server", "--help"], capture_output=True, text=True, check=True
    )
    options = {argument.partition("=")[0] for argument in container["args"]}
    assert {option for option in options if option not in done.stdout} == set()
    lock = (ROOT / "requirements" / "pipelines.txt").read_text(encoding="utf-8")
    [line] = re.findall(r"^mlflow==(\d+\.\d+)\.", lock, re.M)
    assert f":v{line}." in container["image"]


def test_versions_of_what_others_make_are_the_same_wherever_they_stand() -> None:
    versions = yaml.safe_load((ROOT / "k8s" / "upstream" / "versions.yaml").read_text(encoding="utf-8"))
    stated = {
        re.findall(r"\[(.+?)\]", name)[0]: version
        for name, version, _ in list(table("What it stands on"))[1:]
    }
    assert stated == {name: entry["version"] for name, entry in versions.items()}
    written = PAGE + "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "k8s" / "upstream").rglob("*.yaml")
        if path.name != "versions.yaml"
    )
    found = {
        "kubeflow-pipelines": set(re.findall(r"kubeflow/pipelines\S*\?ref=([\d.]+)", written)),
        "knative-eventing": set(re.findall(r"knative-v([\d.]+)/", written)),
        "cert-manager": set(re.findall(r"cert-manager/releases/download/v([\d.]+)/", written)),
        "keda": set(re.findall(r"keda/releases/download/v([\d.]+)/", written)),
        "seldon-core-operator": set(re.findall(r"seldon-charts --version ([\d.]+)", written)),
        "kube-prometheus-stack": set(re.findall(r"helm-charts --version ([\d.]+)", written)),
        "external-secrets": set(re.findall(r"charts.external-secrets.io --version ([\d.]+)", written)),
    }
    assert found == {name: {versions[name]["version"]} for name in found}


def test_the_costs_on_the_page_are_the_sums_of_the_manifests(bundles: Mapping[str, Bundle]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    missing = [row for name in OVERLAYS for row in manifest_cost.rows(name, bundles[name]) if row not in page]
    assert missing == []


@pytest.mark.parametrize(
    ("text", "number"), [("250m", 0.25), ("2", 2.0), ("64Mi", 64 * 2**20), ("1Ti", 2**40), (0, 0.0)]
)
def test_quantities_are_read_as_kubernetes_means_them(text: object, number: float) -> None:
    assert quota.quantity(text) == pytest.approx(number)
