"""Who sends: pure checks of signatures, bearer tokens and freshness. Comparisons take the same time wherever the first difference is."""

from __future__ import annotations

import hashlib
import hmac
import math
import re

from triggers.errors import Refused, Unauthenticated

SIGNATURE, BEARER, STALE = "SIGNATURE", "BEARER", "STALE"
WINDOW_S = 7 * 86400.0
MOST_AHEAD_S = 300.0
_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)
_SCHEME = "bearer"


def check_hmac(secret: str, signature_header: str | None, body: bytes) -> None:
    """Check `X-Hub-Signature-256` against the raw bytes of the body.

    Raises:
        Unauthenticated: it is missing or does not fit, or there is no secret to check it with.
    """
    if not secret:
        raise Unauthenticated(SIGNATURE, "no secret is set here, so no signature can be right; set one")
    given = signature_of(signature_header)
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not _same(given, right):
        raise Unauthenticated(
            SIGNATURE,
            "the signature does not fit; give the webhook the same secret as the one that is set here",
        )


def signature_of(header: str | None) -> str:
    """The hexadecimal digits of `X-Hub-Signature-256`, in lower case.

    Raises:
        Unauthenticated: it is missing or of another form, so that it cannot be right whatever the body is.
    """
    found = _SIGNATURE.fullmatch((header or "").strip())
    if found is None:
        raise Unauthenticated(
            SIGNATURE,
            "X-Hub-Signature-256 is missing or is not sha256= and 64 hexadecimal digits; "
            "give the webhook the secret that is set here",
        )
    return found[1].lower()


def check_bearer(token: str, header: str | None) -> None:
    """Check `Authorization: Bearer …`.

    Raises:
        Unauthenticated: it is missing or another token, or there is no token to check it with.
    """
    given = bearer_of(header)
    if not token:
        raise Unauthenticated(BEARER, "no token is set here, so none can be right; set one")
    if not _same(given, token):
        raise Unauthenticated(
            BEARER, "the token is not the one that is set here for this source; send that one"
        )


def bearer_of(header: str | None) -> str:
    """The token of an `Authorization` header.

    Raises:
        Unauthenticated: there is none.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise Unauthenticated(BEARER, "send the header Authorization: Bearer and the token of this source")
    return token.strip()


def check_fresh(occurred: float | None, now: float, window_s: float = WINDOW_S) -> None:
    """Refuse what happened too long ago, or has yet to happen. Both in seconds since 1970; None: the source does not say when.

    Raises:
        Refused: with the rule STALE.
    """
    if occurred is None:
        return
    if not math.isfinite(occurred) or occurred > now + MOST_AHEAD_S:
        raise Refused(
            STALE, f"this happened more than {MOST_AHEAD_S / 60:g} minutes from now; set the sender's clock"
        )
    if occurred < now - window_s:
        raise Refused(
            STALE,
            f"this happened more than {window_s / 86400:g} days ago; what is as old as that is not taken any more",
        )


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))
