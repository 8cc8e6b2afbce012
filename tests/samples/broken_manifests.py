"""Ways to break a good rendering, each with the rule that has to refuse it."""

from __future__ import annotations

from collections.abc import Callable

from tests.samples.rendered_manifests import body, container, predictor
from tools.manifest_rules.objects import Body, Bundle, Object

Breaking = Callable[[Bundle], "Bundle | None"]
BROKEN: list[tuple[str, str, Breaking]] = []


def breaks(rule: str, variant: str = "production") -> Callable[[Breaking], Breaking]:
    """Adds a way to break a rendering (`overlay` or `overlay+component`) to the table."""

    def add(breaking: Breaking) -> Breaking:
        BROKEN.append((rule, variant, breaking))
        return breaking

    return add


def _main(bundle: Bundle) -> Body:
    return predictor(bundle)


def _pod(bundle: Bundle) -> Body:
    spec: Body = _main(bundle)["componentSpecs"][0]["spec"]
    return spec


@breaks("duplicate")
def an_object_twice(bundle: Bundle) -> Bundle:
    return Bundle(bundle.name, (*bundle.objects, bundle.objects[0]), bundle.strict)


@breaks("namespace")
def a_service_without_a_namespace(bundle: Bundle) -> None:
    del body(bundle, "Service", "drift")["metadata"]["namespace"]


@breaks("labels")
def a_service_without_labels(bundle: Bundle) -> None:
    del body(bundle, "Service", "drift")["metadata"]["labels"]["app.kubernetes.io/name"]


@breaks("secret-literal")
def a_secret_in_the_repository(bundle: Bundle) -> Bundle:
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "keys"},
        "stringData": {"key": "abc"},
    }
    return Bundle(bundle.name, (*bundle.objects, Object(secret)), bundle.strict)


@breaks("secret-literal")
def a_token_as_a_plain_variable(bundle: Bundle) -> None:
    container(bundle, "predictor")["env"].append({"name": "API_TOKEN", "value": "abc"})


@breaks("graph-type")
def a_type_that_seldon_does_not_know(bundle: Bundle) -> None:
    _main(bundle)["graph"]["type"] = "OUTLIER"


@breaks("graph-implementation", "production+prepackaged")
def an_implementation_that_seldon_does_not_have(bundle: Bundle) -> None:
    predictor(bundle, "triton", "pedalflow-prepackaged")["graph"]["implementation"] = "ONNX_SERVER"


@breaks("graph-implementation", "production+prepackaged")
def a_prepackaged_server_without_a_model(bundle: Bundle) -> None:
    del predictor(bundle, "triton", "pedalflow-prepackaged")["graph"]["modelUri"]


@breaks("traffic", "production+canary")
def shares_that_do_not_add_up(bundle: Bundle) -> None:
    _main(bundle)["traffic"] = 80


@breaks("shadow")
def a_shadow_that_is_alone(bundle: Bundle) -> None:
    _main(bundle)["shadow"] = True


@breaks("shadow", "production+canary")
def two_shadows(bundle: Bundle) -> None:
    predictors = body(bundle, "SeldonDeployment", "pedalflow")["spec"]["predictors"]
    predictors.append({**predictors[1], "name": "third"})
    for one in predictors[1:]:
        one["shadow"] = True


@breaks("predictor-name", "production+canary")
def two_predictors_of_one_name(bundle: Bundle) -> None:
    predictor(bundle, "canary")["name"] = "main"


@breaks("predictor-annotation")
def an_address_that_seldon_would_make_a_key_of(bundle: Bundle) -> None:
    _main(bundle)["annotations"] = {"pedalflow.dev/release-uri": "s3://pipelines/releases/r-000000000000"}


@breaks("predictor-annotation")
def a_checksum_that_is_too_long_for_a_key(bundle: Bundle) -> None:
    _main(bundle)["annotations"] = {"pedalflow.dev/release-checksum": "0" * 64}


@breaks("node-container")
def a_node_without_its_container(bundle: Bundle) -> None:
    container(bundle, "outliers")["name"] = "detector"


@breaks("logger")
def a_logger_without_a_mode(bundle: Bundle) -> None:
    del _main(bundle)["graph"]["children"][0]["logger"]["mode"]


@breaks("logger")
def a_logger_without_an_address(bundle: Bundle) -> None:
    del _main(bundle)["graph"]["children"][0]["logger"]["url"]


@breaks("logger")
def a_logger_at_the_transformer(bundle: Bundle) -> None:
    graph = _main(bundle)["graph"]
    graph["logger"] = graph["children"][0].pop("logger")


@breaks("trigger-subscriber")
def a_trigger_without_a_subscriber(bundle: Bundle) -> None:
    del body(bundle, "Trigger", "requests-to-drift")["spec"]["subscriber"]


@breaks("trigger-subscriber")
def a_trigger_of_a_broker_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "Trigger", "requests-to-drift")["spec"]["broker"] = "default"


@breaks("release")
def a_release_whose_checksum_is_another_ones(bundle: Bundle) -> None:
    _main(bundle)["componentSpecs"][0]["metadata"]["annotations"]["pedalflow.dev/release-checksum"] = "1" * 64


@breaks("release")
def an_address_that_is_not_the_releases(bundle: Bundle) -> None:
    annotations = _main(bundle)["componentSpecs"][0]["metadata"]["annotations"]
    annotations["pedalflow.dev/release-uri"] = "s3://pipelines/releases/newest"


@breaks("release")
def a_release_that_nobody_verifies(bundle: Bundle) -> None:
    _pod(bundle)["initContainers"].pop()


@breaks("release")
def an_init_container_that_fetches_another_release(bundle: Bundle) -> None:
    _pod(bundle)["initContainers"][0]["env"][0]["value"] = "s3://pipelines/releases/r-111111111111"


@breaks("champion")
def an_event_service_with_another_release(bundle: Bundle) -> None:
    annotations = body(bundle, "StatefulSet", "drift")["spec"]["template"]["metadata"]["annotations"]
    annotations["pedalflow.dev/release-checksum"] = "0" * 12 + "1" * 52


@breaks("image")
def an_image_without_a_version(bundle: Bundle) -> None:
    container(bundle, "fetch")["image"] = "docker.io/seldonio/rclone-storage-initializer"


@breaks("prepackaged", "production+prepackaged")
def a_model_that_seldon_fetches(bundle: Bundle) -> None:
    component = predictor(bundle, "triton", "pedalflow-prepackaged")["componentSpecs"][0]
    component["spec"]["initContainers"].pop()


@breaks("prepackaged", "production+prepackaged")
def a_model_that_is_laid_out_before_it_is_verified(bundle: Bundle) -> None:
    component = predictor(bundle, "triton", "pedalflow-prepackaged")["componentSpecs"][0]
    component["spec"]["initContainers"].reverse()


@breaks("release", "production+prepackaged")
def a_prepackaged_server_without_the_checksum(bundle: Bundle) -> None:
    component = predictor(bundle, "triton", "pedalflow-prepackaged")["componentSpecs"][0]
    del component["metadata"]["annotations"]["pedalflow.dev/release-checksum"]


@breaks("restricted")
def a_folder_of_another_machine(bundle: Bundle) -> None:
    _pod(bundle)["volumes"].append({"name": "far", "nfs": {"server": "a", "path": "/"}})


@breaks("restricted")
def a_port_of_the_node(bundle: Bundle) -> None:
    container(bundle, "predictor")["ports"][0]["hostPort"] = 80


@breaks("restricted")
def an_executor_that_the_namespace_refuses(bundle: Bundle) -> Bundle:
    kept = tuple(found for found in bundle.objects if found.kind != "MutatingAdmissionPolicyBinding")
    return Bundle(bundle.name, kept, bundle.strict)


@breaks("image")
def the_latest_image(bundle: Bundle) -> None:
    container(bundle, "fetch")["image"] = "docker.io/seldonio/rclone-storage-initializer:latest"


@breaks("image")
def an_image_of_ours_without_a_digest(bundle: Bundle) -> None:
    container(bundle, "predictor")["image"] = "registry.example.org/team/pedalflow-serving:1.0"


@breaks("resources")
def a_container_without_a_limit_on_memory(bundle: Bundle) -> None:
    del container(bundle, "predictor")["resources"]["limits"]["memory"]


@breaks("resources")
def an_executor_without_resources(bundle: Bundle) -> None:
    del _main(bundle)["svcOrchSpec"]["resources"]


@breaks("quota")
def more_pods_than_the_namespace_may_have(bundle: Bundle) -> None:
    _main(bundle)["componentSpecs"][0]["hpaSpec"]["maxReplicas"] = 100


@breaks("limit-range")
def a_container_that_asks_for_more_than_it_may_get(bundle: Bundle) -> None:
    one = container(bundle, "predictor")["resources"]
    one["requests"]["cpu"] = "1"
    del one["limits"]["cpu"]


@breaks("probes")
def a_container_without_a_readiness_probe(bundle: Bundle) -> None:
    del container(bundle, "predictor")["readinessProbe"]


@breaks("probes")
def a_probe_at_a_port_that_is_not_there(bundle: Bundle) -> None:
    container(bundle, "predictor")["livenessProbe"] = {"httpGet": {"path": "/health/ping", "port": "web"}}


@breaks("probes")
def a_probe_that_computes_all_metrics(bundle: Bundle) -> None:
    container(bundle, "predictor")["livenessProbe"]["httpGet"]["path"] = "/health/status"


@breaks("restricted")
def a_folder_of_the_node(bundle: Bundle) -> None:
    _pod(bundle)["volumes"].append({"name": "node", "hostPath": {"path": "/"}})


@breaks("service-account")
def the_default_account(bundle: Bundle) -> None:
    del _pod(bundle)["serviceAccountName"]


@breaks("service-account")
def a_token_that_nobody_uses(bundle: Bundle) -> None:
    del _pod(bundle)["automountServiceAccountToken"]


@breaks("service-selects")
def a_service_whose_pods_are_not_there(bundle: Bundle) -> None:
    body(bundle, "Service", "drift")["spec"]["selector"] = {"app.kubernetes.io/name": "drifts"}


@breaks("service-selects")
def a_service_at_a_port_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "Service", "drift")["spec"]["ports"][0]["targetPort"] = "web"


@breaks("policy-selects")
def a_policy_for_no_pod(bundle: Bundle) -> None:
    body(bundle, "NetworkPolicy", "drift")["spec"]["podSelector"]["matchLabels"] = {"app": "drift"}


@breaks("policy-selects")
def a_policy_that_opens_a_port_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "NetworkPolicy", "drift")["spec"]["ingress"][0]["ports"][0]["port"] = 8080


@breaks("policy-selects")
def a_policy_that_names_pods_that_are_not_there(bundle: Bundle) -> None:
    peer = body(bundle, "NetworkPolicy", "triggers-with-token")["spec"]["egress"][0]["to"][0]
    peer["podSelector"]["matchLabels"] = {"app": "triggers"}


@breaks("budget-selects")
def a_budget_for_no_pod(bundle: Bundle) -> None:
    body(bundle, "PodDisruptionBudget", "pedalflow")["spec"]["selector"]["matchLabels"] = {"app": "x"}


@breaks("budget-selects")
def two_budgets_for_one_pod(bundle: Bundle) -> Bundle:
    budget = body(bundle, "PodDisruptionBudget", "pedalflow")
    second = Object({**budget, "metadata": {**budget["metadata"], "name": "second"}})
    return Bundle(bundle.name, (*bundle.objects, second), bundle.strict)


@breaks("monitor-selects")
def a_monitor_of_no_service(bundle: Bundle) -> None:
    body(bundle, "ServiceMonitor", "events")["spec"]["selector"] = {"matchLabels": {"app": "drift"}}


@breaks("monitor-selects")
def a_monitor_of_a_port_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "PodMonitor", "serving")["spec"]["podMetricsEndpoints"][0]["port"] = "prometheus"


@breaks("address")
def an_address_that_is_not_there(bundle: Bundle) -> None:
    logger = _main(bundle)["graph"]["children"][0]["logger"]
    logger["url"] = "http://collectors.pedalflow-serving.svc.cluster.local/"


@breaks("address")
def a_port_that_the_service_does_not_have(bundle: Bundle) -> None:
    logger = _main(bundle)["graph"]["children"][0]["logger"]
    logger["url"] = "http://collector.pedalflow-serving.svc.cluster.local:9031/"


@breaks("reference")
def a_config_map_that_is_not_there(bundle: Bundle) -> None:
    container(bundle, "predictor")["envFrom"] = [{"configMapRef": {"name": "nothing"}}]


@breaks("reference", "local")
def a_secret_that_nobody_makes(bundle: Bundle) -> None:
    container(bundle, "fetch")["envFrom"][0]["secretRef"]["name"] = "nothing"


@breaks("reference")
def a_key_that_the_secret_does_not_have(bundle: Bundle) -> None:
    container(bundle, "proxy")["env"][0]["valueFrom"]["secretKeyRef"]["key"] = "nothing"


@breaks("reference")
def an_account_that_is_not_there(bundle: Bundle) -> None:
    _pod(bundle)["serviceAccountName"] = "nobody"


@breaks("reference")
def a_subscriber_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "Trigger", "requests-to-drift")["spec"]["subscriber"]["ref"]["name"] = "nothing"


@breaks("gateway")
def a_route_at_a_gateway_that_is_not_there(bundle: Bundle) -> None:
    body(bundle, "VirtualService", "explainer")["spec"]["gateways"] = ["istio-system/seldon-gateway"]
