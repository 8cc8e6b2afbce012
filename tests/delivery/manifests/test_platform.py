"""The platform's manifests against the page that describes them, against the settings that the service reads, and against least rights."""

from __future__ import annotations

import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import manifest_cost
from tools.manifest_rules.flows import RECEIVER, SENDER, Flow, closed_namespaces, flows, half_open
from tools.manifest_rules.objects import Bundle, Object, Pod
from tools.manifest_rules.rendering import ROOT, Rendering, render

OVERLAYS = ("local", "staging", "production")
WHERE = {"everywhere": set(OVERLAYS), "cloud": {"staging", "production"}, "one node": {"local"}}
PERMITTED = {"both ends": {RECEIVER, SENDER}, "the receiver": {RECEIVER}, "the sender": {SENDER}}
# Either the broker's proxy or the event service posts to the retraining service, so one of the two is open at one end only.
EITHER = {
    Flow("pedalflow-serving: triggers-with-token", "pedalflow: triggers", "9100"),
    Flow("pedalflow-serving: drift", "pedalflow: triggers", "9100"),
}
TRIGGERS = ROOT / ".venv" / "triggers" / "bin" / "python"
PIPELINES = ROOT / ".venv" / "pipelines" / "bin"
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bundles() -> Iterator[Mapping[str, Bundle]]:
    """The overlays, rendered in a folder inside the repository, since kustomize wants relative paths."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as work:
        yield {
            name: render(Rendering(name, ROOT / "k8s" / "overlays" / name), Path(work)) for name in OVERLAYS
        }


def _table(heading: str) -> Iterator[list[str]]:
    """The rows of the table below a heading of docs/cluster.md."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("|--"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _flows_of_the_page() -> dict[tuple[Flow, str], set[str]]:
    """By flow and overlay, who permits it. A cell may name several, with commas between them."""
    found: dict[tuple[Flow, str], set[str]] = {}
    for from_, to, port, permitted, where in list(_table("Who talks to whom"))[1:]:
        for parts in itertools.product(from_.split(", "), to.split(", "), port.split(", "), WHERE[where]):
            assert (
                found.setdefault((Flow(*parts[:3]), parts[3]), PERMITTED[permitted]) == PERMITTED[permitted]
            )
    return found


def test_the_table_of_flows_says_what_the_policies_permit(bundles: Mapping[str, Bundle]) -> None:
    permitted = {
        (flow, name): set(ends) for name, bundle in bundles.items() for flow, ends in flows(bundle).items()
    }
    assert _flows_of_the_page() == permitted


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_flow_between_our_namespaces_is_open_at_one_end_only(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    found = flows(bundles[name])
    assert set(half_open(found, closed_namespaces(bundles[name]))) <= EITHER


def test_a_flow_that_one_end_forgot_is_found(bundles: Mapping[str, Bundle]) -> None:
    """The check above can fail."""
    bundle = bundles["local"]
    without = tuple(each for each in bundle.objects if each.name != "postgresql-clients")
    found = half_open(flows(Bundle("changed", without)), closed_namespaces(bundle))
    assert Flow("pedalflow: mlflow", "pedalflow: postgresql", "5432") in found


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_of_ours_lies_where_nothing_passes_by_default(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    """But for what stands in Kubeflow's own namespace, on one node."""
    closed = {*closed_namespaces(bundles[name]), *(["kubeflow"] if name == "local" else [])}
    assert {pod.namespace for pod in bundles[name].pods} <= closed


def _secret_keys(pod: Pod) -> Iterator[tuple[str, str]]:
    """Secrets that a pod names, with the keys that it reads; `*` for all of one that is mounted or read as a whole."""
    for container in pod.containers:
        for variable in container.get("env") or ():
            if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                yield reference["name"], reference["key"]
        for source in container.get("envFrom") or ():
            if reference := source.get("secretRef"):
                yield reference["name"], "*"
    for volume in pod.spec.get("volumes") or ():
        if secret := volume.get("secret"):
            for item in secret.get("items") or ({"key": "*"},):
                yield secret["secretName"], item["key"]


def _keys_of_the_page() -> dict[str, set[str]]:
    return {
        re.findall(r"`([^`]+)`", name)[0]: set(re.findall(r"`([^`]+)`", keys))
        for _, name, keys, _ in list(_table("Secrets"))[1:]
    }


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_secret_and_key_that_a_pod_reads_is_in_the_table(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    known = _keys_of_the_page()
    read = {pair for pod in bundles[name].pods for pair in _secret_keys(pod)}
    missing = [(secret, key) for secret, key in sorted(read) if key not in {*known.get(secret, ()), "*"}]
    assert missing == []
    assert {secret for secret, _ in read} <= set(known)


def test_every_key_of_an_external_secret_is_in_the_table(bundles: Mapping[str, Bundle]) -> None:
    known = _keys_of_the_page()
    for made in bundles["production"].of("ExternalSecret"):
        keys = {each["secretKey"] for each in made.spec.get("data") or ()}
        assert keys <= known[made.spec["target"]["name"]], made.name


def test_what_the_page_makes_by_hand_is_what_the_overlay_for_one_node_reads(
    bundles: Mapping[str, Bundle],
) -> None:
    made = {
        (name, key)
        for command in re.findall(
            r"create secret generic (.+?)(?=\n\w|\n```)", PAGE.replace("\\\n", " "), re.S
        )
        for name, key in ((command.split()[0], k) for k in re.findall(r"--from-literal=(\w+)=", command))
    }
    read = {pair for pod in bundles["local"].pods for pair in _secret_keys(pod)}
    assert {pair for pair in read if pair[1] != "*"} <= made
    assert {secret for secret, _ in read} <= {name for name, _ in made}


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
    known = _keys_of_the_page()["triggers-secrets"]
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
    assert set(re.findall(r"secretName: (\S+)", asked)) <= set(_keys_of_the_page())


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
        for name, version, _ in list(_table("What it stands on"))[1:]
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
    assert manifest_cost.quantity(text) == pytest.approx(number)
