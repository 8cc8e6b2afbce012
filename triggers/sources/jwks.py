"""Tokens of Pub/Sub push: an OpenID Connect token, signed by Google, that names the service account of the subscription.

Layout: Pub/Sub, "Authentication for push subscriptions"; RFC 7517 for the set of keys.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from triggers.errors import Unauthenticated
from triggers.sources.authentication import bearer_of
from triggers.sources.reading import shown

TOKEN, KEYS = "TOKEN", "KEYS"
GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"
GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
ALGORITHM = "RS256"
_LEEWAY_S = 60
_MOST_CHARACTERS = 8192
_LIFETIME_S, _PAUSE_S, _TIMEOUT_S = 3600.0, 30.0, 10.0

Fetch = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class PushIdentity:
    """Who may push: the audience that the subscription was given, and its service account."""

    audience: str
    email: str
    issuers: tuple[str, ...] = GOOGLE_ISSUERS


def fetch_over_http(url: str = GOOGLE_KEYS, within_s: float = _TIMEOUT_S) -> Fetch:
    """What gets a set of keys from its address, all of it within so many seconds, however slowly it comes."""

    async def ask() -> Mapping[str, Any]:
        import httpx

        async with httpx.AsyncClient(timeout=within_s) as client:
            answer = await client.get(url)
        content: Mapping[str, Any] = answer.raise_for_status().json()
        return content

    return lambda: asyncio.run(asyncio.wait_for(ask(), within_s))


class KeySet:
    """The issuer's public keys by their id, kept for an hour and fetched again for an unknown one, at most twice a minute.

    Whoever finds that they have to be fetched does so; nobody else waits for him.

    Args:
        fetch: gets the set (RFC 7517).
        clock: seconds that only count up.
    """

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failure = ""

    def key(self, name: str) -> jwt.PyJWK:
        """The key of that id. An old one goes on being used while the issuer does not answer.

        Raises:
            Unauthenticated: there is none, or none could be fetched.
        """
        if self._mine_to_fetch(name):
            self._refresh()
        with self._lock:
            found, failure = self._keys.get(name), self._failure
        if found is None:
            why = f" ({failure})" if failure else ""
            raise Unauthenticated(
                KEYS, f"the token is signed with a key that its issuer does not publish{why}"
            )
        return found

    def _mine_to_fetch(self, name: str) -> bool:
        """Whether it is time to fetch, and nobody has begun to for a while: from now on the caller has."""
        with self._lock:
            wanted = name not in self._keys or self._older(self._fetched, _LIFETIME_S)
            if not wanted or not self._older(self._tried, _PAUSE_S):
                return False
            self._tried = self._clock()
            self._failure = self._failure or "they are being fetched; send it again"
            return True

    def _older(self, since: float | None, seconds: float) -> bool:
        return since is None or self._clock() - since >= seconds

    def _refresh(self) -> None:
        try:
            keys = _keys_by_name(self._fetch())
        except Exception as error:  # whatever it is, it must not become a failure of ours: old keys stay good
            why = shown(str(error)) or type(error).__name__
            with self._lock:
                self._failure = f"its keys could not be fetched: {why}; send it again later"
            return
        with self._lock:
            self._keys, self._fetched, self._failure = keys, self._clock(), ""


def _keys_by_name(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys that can check our algorithm; others in the set are left out."""
    return {
        key["kid"]: jwt.PyJWK(key, ALGORITHM)
        for key in document["keys"]
        if key.get("kty") == "RSA" and key.get("use", "sig") == "sig" and isinstance(key.get("kid"), str)
    }


def check_push_token(identity: PushIdentity, keys: KeySet, header: str | None) -> None:
    """Check the `Authorization` header of a push.

    Raises:
        Unauthenticated: the token is missing, broken, too old, not signed by the issuer, or for or from somebody else.
    """
    if not identity.audience or not identity.email:
        raise Unauthenticated(TOKEN, "no audience and service account are set here; set both")
    token = bearer_of(header)
    if len(token) > _MOST_CHARACTERS:
        raise Unauthenticated(TOKEN, f"the token is longer than {_MOST_CHARACTERS:,} characters")
    claims = _claims(identity, keys, token)
    if claims.get("email_verified") is not True or claims.get("email") != identity.email:
        raise Unauthenticated(
            TOKEN,
            "the token is not of the service account that is set here; give that one to the subscription",
        )


def _claims(identity: PushIdentity, keys: KeySet, token: str) -> Mapping[str, Any]:
    try:
        name = jwt.get_unverified_header(token).get("kid")
        key = keys.key(name if isinstance(name, str) else "")
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=identity.audience,
            issuer=identity.issuers,
            leeway=_LEEWAY_S,
            options={"require": ["exp", "iat", "aud", "iss"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Unauthenticated(TOKEN, f"the token cannot be used: {shown(str(error))}") from error
