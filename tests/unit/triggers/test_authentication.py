"""Nobody is believed without a proof that fits, and nothing that is older than the window."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.samples.trigger_deliveries import delivery
from triggers.errors import Refused, Unauthenticated
from triggers.events import Source
from triggers.sources.authentication import check_bearer, check_fresh, check_hmac
from triggers.sources.jwks import KeySet, PushIdentity, check_push_token, fetch_over_http
from triggers.sources.table import SENT_WHEN_IT_OCCURRED

SECRET = "not a secret"
IDENTITY = PushIdentity(
    "https://retrain.example.com/events/pubsub", "pusher@bike-example.iam.gserviceaccount.com"
)
DAY = 86400.0
texts = st.text(st.characters(exclude_categories=()), max_size=80)
EXAMPLES = settings(
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("name", ["github/push_code", "github/push_form"])
def test_a_body_with_its_signature_is_githubs(name: str):
    body = delivery(name).body

    check_hmac(SECRET, signed(body), body)
    check_hmac(SECRET, signed(body).upper().replace("SHA256", "sha256"), body)


def test_the_signature_that_github_publishes_as_its_example_fits():
    example = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    check_hmac("It's a Secret to Everybody", example, b"Hello, World!")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        signed(b"other"),
        signed(b"body", "other secret"),
        signed(b"body").removeprefix("sha256="),
        "sha1=" + hmac.new(SECRET.encode(), b"body", hashlib.sha1).hexdigest(),
        "sha256=é\ud800",
        signed(b"body")[:-1],
    ],
)
def test_any_other_signature_is_refused(header: str | None):
    with pytest.raises(Unauthenticated) as refused:
        check_hmac(SECRET, header, b"body")

    assert (refused.value.rule, refused.value.status) == ("SIGNATURE", 401)
    assert SECRET not in str(refused.value)


def test_without_a_secret_of_ours_no_signature_is_right():
    with pytest.raises(Unauthenticated, match="no secret is set here"):
        check_hmac("", signed(b"body", ""), b"body")


@pytest.mark.parametrize("header", ["Bearer token-of-the-source", "bearer  token-of-the-source "])
def test_the_token_of_the_source_is_taken(header: str):
    check_bearer("token-of-the-source", header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "token-of-the-source",
        "Basic token-of-the-source",
        "Bearer other",
        "Bearer é",
    ],
)
def test_any_other_token_is_refused(header: str | None):
    with pytest.raises(Unauthenticated) as refused:
        check_bearer("token-of-the-source", header)

    assert (refused.value.rule, refused.value.status) == ("BEARER", 401)
    assert "token-of-the-source" not in str(refused.value)


def test_without_a_token_of_ours_none_is_right():
    with pytest.raises(Unauthenticated):
        check_bearer("", "Bearer ")
    with pytest.raises(Unauthenticated, match="no token is set here"):
        check_bearer("", "Bearer x")


@EXAMPLES
@given(header=texts)
def test_any_header_is_refused_and_nothing_else_happens(header: str):
    keys = KeySet(lambda: {"keys": []})

    for check in (
        lambda: check_hmac(SECRET, header, b""),
        lambda: check_bearer(SECRET, header),
        lambda: check_push_token(IDENTITY, keys, f"Bearer {header}"),
    ):
        with pytest.raises(Unauthenticated) as refused:
            check()
        str(refused.value).encode()


@pytest.mark.parametrize("age", [0, 7 * DAY, -300, None])
def test_what_happened_within_the_window_is_fresh(age: float | None):
    check_fresh(None if age is None else 1e9 - age, 1e9)


@pytest.mark.parametrize("age", [7 * DAY + 1, -301, float("nan"), float("-inf")])
def test_what_is_older_or_yet_to_come_is_stale(age: float):
    with pytest.raises(Refused) as refused:
        check_fresh(1e9 - age, 1e9)

    assert (refused.value.rule, refused.value.status) == ("STALE", 400)


def test_the_window_is_a_setting():
    with pytest.raises(Refused, match="more than 2 days ago"):
        check_fresh(1e9 - 3 * DAY, 1e9, 2 * DAY)


def test_an_alert_that_fires_for_long_is_not_stale():
    assert frozenset(Source) - {Source.ALERTMANAGER} == SENT_WHEN_IT_OCCURRED


# --- Tokens of Pub/Sub push


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def published(*keys: tuple[str, rsa.RSAPrivateKey]) -> dict[str, Any]:
    """A set of public keys, as an issuer publishes it, with one of another algorithm among them."""
    rsa_keys = [
        {
            **json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())),
            "kid": name,
            "use": "sig",
            "alg": "RS256",
        }
        for name, key in keys
    ]
    return {"keys": [{"kty": "EC", "crv": "P-256", "kid": "curve", "x": "AA", "y": "AA"}, *rsa_keys]}


def header_of(key: Any, *, kid: str | None = "key-1", algorithm: str = "RS256", **claims: Any) -> str:
    """A push's header; a claim that is None is left out."""
    now = int(time.time())
    whole = {
        "aud": IDENTITY.audience,
        "azp": "113774264463038321964",
        "email": IDENTITY.email,
        "email_verified": True,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
        **claims,
    }
    said = {name: value for name, value in whole.items() if value is not None}
    return "Bearer " + jwt.encode(said, key, algorithm, headers={"kid": kid} if kid else None)


class Issuer:
    """Publishes a set of keys, counts how often it was asked, and can be away."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document, self.asked, self.away, self.now = document, 0, False, 1000.0

    def fetch(self) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise OSError("no route to host")
        return self.document

    def keys(self) -> KeySet:
        return KeySet(self.fetch, lambda: self.now)


def test_a_token_of_the_service_account_is_taken(private: rsa.RSAPrivateKey):
    keys = Issuer(published(("key-1", private))).keys()

    check_push_token(IDENTITY, keys, header_of(private))
    check_push_token(IDENTITY, keys, header_of(private, iss="accounts.google.com"))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example.com"},
        {"aud": None},
        {"iss": "https://accounts.example.com"},
        {"iss": None},
        {"email": "other@bike-example.iam.gserviceaccount.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"exp": 1328011200},
        {"exp": None},
        {"iat": None},
        {"iat": 4102444800},
        {"nbf": 4102444800},
        {"kid": "key-2"},
        {"kid": None},
    ],
    ids=str,
)
def test_a_token_that_says_anything_else_is_refused(private: rsa.RSAPrivateKey, claims: dict[str, Any]):
    keys = Issuer(published(("key-1", private))).keys()

    with pytest.raises(Unauthenticated):
        check_push_token(IDENTITY, keys, header_of(private, **claims))


def test_a_token_that_another_key_signed_is_refused(private: rsa.RSAPrivateKey, other: rsa.RSAPrivateKey):
    with pytest.raises(Unauthenticated, match=r"[Ss]ignature"):
        check_push_token(IDENTITY, Issuer(published(("key-1", private))).keys(), header_of(other))


def test_a_token_that_is_signed_with_the_public_key_as_a_password_is_refused(private: rsa.RSAPrivateKey):
    issuer = Issuer(published(("key-1", private)))
    modulus = issuer.document["keys"][1]["n"]

    with pytest.raises(Unauthenticated):
        check_push_token(IDENTITY, issuer.keys(), header_of(modulus, algorithm="HS256"))


def test_a_token_that_is_not_signed_is_refused(private: rsa.RSAPrivateKey):
    with pytest.raises(Unauthenticated):
        check_push_token(
            IDENTITY, Issuer(published(("key-1", private))).keys(), header_of(None, algorithm="none")
        )


@pytest.mark.parametrize("part", ["[" * 5000, '{"a":' * 1000, "3", "null", '{"alg":"RS256","kid":[]}'])
def test_a_token_with_a_hostile_header_is_refused(private: rsa.RSAPrivateKey, part: str):
    header = base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")

    with pytest.raises(Unauthenticated):
        check_push_token(IDENTITY, Issuer(published(("key-1", private))).keys(), f"Bearer {header}.e30.AA")


@pytest.mark.parametrize("identity", [PushIdentity("", IDENTITY.email), PushIdentity(IDENTITY.audience, "")])
def test_without_audience_or_account_no_token_is_right(private: rsa.RSAPrivateKey, identity: PushIdentity):
    with pytest.raises(Unauthenticated, match="set both"):
        check_push_token(identity, Issuer(published(("key-1", private))).keys(), header_of(private, email=""))


def test_keys_are_fetched_once_and_again_after_an_hour(private: rsa.RSAPrivateKey):
    issuer = Issuer(published(("key-1", private)))
    keys = issuer.keys()

    for _ in range(3):
        check_push_token(IDENTITY, keys, header_of(private))
    assert issuer.asked == 1

    issuer.now += 3601
    check_push_token(IDENTITY, keys, header_of(private))
    assert issuer.asked == 2


def test_a_new_key_is_found_but_unknown_ones_do_not_make_us_ask_without_end(
    private: rsa.RSAPrivateKey, other: rsa.RSAPrivateKey
):
    issuer = Issuer(published(("key-1", private)))
    keys = issuer.keys()
    check_push_token(IDENTITY, keys, header_of(private))
    issuer.document = published(("key-1", private), ("key-2", other))

    for _ in range(5):
        with pytest.raises(Unauthenticated, match="does not publish"):
            check_push_token(IDENTITY, keys, header_of(other, kid="key-2"))
    assert issuer.asked == 1

    issuer.now += 31
    check_push_token(IDENTITY, keys, header_of(other, kid="key-2"))
    assert issuer.asked == 2


def test_known_keys_stay_good_while_the_issuer_is_away(private: rsa.RSAPrivateKey):
    issuer = Issuer(published(("key-1", private)))
    keys = issuer.keys()
    check_push_token(IDENTITY, keys, header_of(private))
    issuer.away = True
    issuer.now += 7200

    check_push_token(IDENTITY, keys, header_of(private))
    assert issuer.asked == 2


def test_while_one_fetches_nobody_waits_and_known_keys_are_good(private: rsa.RSAPrivateKey):
    issuer = Issuer(published(("key-1", private)))
    asked, answer = threading.Event(), threading.Event()
    keys = KeySet(lambda: issuer.fetch() if issuer.asked == 0 else slow(), lambda: issuer.now)

    def slow() -> dict[str, Any]:
        asked.set()
        answer.wait(20)
        return issuer.document

    check_push_token(IDENTITY, keys, header_of(private))
    issuer.now += 7200
    fetching = threading.Thread(target=lambda: check_push_token(IDENTITY, keys, header_of(private)))
    fetching.start()
    try:
        assert asked.wait(20)
        check_push_token(IDENTITY, keys, header_of(private))
        with pytest.raises(Unauthenticated, match="does not publish"):
            check_push_token(IDENTITY, keys, header_of(private, kid="invented"))
        assert fetching.is_alive()
    finally:
        answer.set()
        fetching.join(20)


def test_an_issuer_that_never_ends_its_answer_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as issuer:
        ended = threading.Event()
        issuer.settimeout(20)  # a busy machine may give up before it has come

        def drip() -> None:
            with suppress(OSError), issuer.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not ended.wait(0.02):
                    connection.sendall(b" ")

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        url = f"http://127.0.0.1:{issuer.getsockname()[1]}/certs"
        try:
            with pytest.raises(Unauthenticated, match="TimeoutError"):
                KeySet(fetch_over_http(url, within_s=1.0)).key("key-1")
        finally:
            ended.set()
            dripping.join(20)


@pytest.mark.parametrize(
    "document", [{}, {"keys": [3]}, {"keys": [{"kty": "RSA", "kid": "key-1", "n": "?"}]}, []]
)
def test_an_issuer_that_publishes_nonsense_is_a_refusal_and_no_failure(
    private: rsa.RSAPrivateKey, document: Any
):
    with pytest.raises(Unauthenticated, match="could not be fetched") as refused:
        check_push_token(IDENTITY, Issuer(document).keys(), header_of(private))

    assert refused.value.rule == "KEYS"
