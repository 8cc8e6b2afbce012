"""Every Secret that a pod reads is one that the page lists, and that somebody makes: a person, a keeper, or a seal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.samples.cluster_page import PAGE, keys_of_secrets
from tests.samples.rendered_manifests import rendered
from tools.manifest_rules.objects import Bundle, Pod

OVERLAYS = ("local", "staging", "production")


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


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_secret_and_key_that_a_pod_reads_is_in_thetable(
    name: str, bundles: Mapping[str, Bundle]
) -> None:
    known = keys_of_secrets()
    read = {pair for pod in bundles[name].pods for pair in _secret_keys(pod)}
    missing = [(secret, key) for secret, key in sorted(read) if key not in {*known.get(secret, ()), "*"}]
    assert missing == []
    assert {secret for secret, _ in read} <= set(known)


def test_every_key_of_an_external_secret_is_in_thetable(bundles: Mapping[str, Bundle]) -> None:
    known = keys_of_secrets()
    for made in bundles["production"].of("ExternalSecret"):
        keys = {each["secretKey"] for each in made.spec.get("data") or ()}
        assert keys <= known[made.spec["target"]["name"]], made.name


def test_what_is_sent_can_be_exchanged_apart_from_what_is_accepted(bundles: Mapping[str, Bundle]) -> None:
    """While two tokens are accepted each sender has one, so both ends cannot have the same value from the keeper."""
    kept: dict[str, set[str]] = {}
    for made in bundles["production"].of("ExternalSecret"):
        for each in made.spec.get("data") or ():
            kept.setdefault(each["remoteRef"]["key"], set()).add(made.name)
    shared = {key: names for key, names in kept.items() if len(names) > 1}
    assert shared == {"pedalflow-senders-cloudevents-token": {"pedalflow-events", "triggers-token"}}


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


def test_the_example_of_a_sealed_secret_makes_a_secret_that_the_page_lists_and_holds_no_secret() -> None:
    sealed = list(rendered("local", "sealed-secrets").of("SealedSecret"))
    assert [(each.namespace, each.name) for each in sealed] == [("pedalflow-serving", "triggers-token")]
    for each in sealed:
        assert set(each.spec["encryptedData"]) == keys_of_secrets()[each.name]
        assert set(each.spec["encryptedData"].values()) == {"sealed-by-kubeseal-for-your-cluster"}
        assert each.spec["template"]["metadata"]["name"] == each.name
