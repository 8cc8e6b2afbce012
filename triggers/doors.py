"""Who may come in: for each source how its sender proves who it is, and who may read. A source without a secret is closed, never open."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triggers.errors import Refused, Unauthenticated
from triggers.events import Source
from triggers.secret_values import FileSecret, FixedSecret, Secret
from triggers.settings import PREFIX, TriggersSettings
from triggers.sources.authentication import check_bearer, check_hmac, signature_of
from triggers.sources.jwks import KeySet, PushIdentity, check_push_token, fetch_over_http

CLOSED, LOOPBACK_ONLY, READER = "CLOSED", "LOOPBACK_ONLY", "READER"
SIGNED = "x-hub-signature-256"
Check = Callable[[Mapping[str, str], bytes], None]
# How the names of headers begin that a proxy adds. Behind one, an address of this machine says nothing about who asks.
_OF_PROXIES = ("forwarded", "via", "x-real-ip", "x-forwarded-")


def _no_form(headers: Mapping[str, str]) -> None:
    """The proof has no form that could be looked at by itself."""


class Closed(Refused):
    """Nobody may come in here as things are set."""

    status = 403


@dataclass(frozen=True)
class Door:
    """How one source proves who it is.

    Args:
        check: raises Unauthenticated or Closed; gets the headers, their names in lower case, and the body.
        reads_body: whether the proof is about the body, so that it has to be read first.
        check_form: raises Unauthenticated where headers alone show that no body could be right.
        fetches: whether the check may have to get a key from elsewhere, which takes a while.
        secret: what has to be known; None where it is a public key, or the source is closed.
        opened_by: the setting that would open it; empty where it is open.
    """

    check: Check
    reads_body: bool = False
    check_form: Callable[[Mapping[str, str]], None] = _no_form
    fetches: bool = False
    secret: Secret | None = None
    opened_by: str = ""


# The setting that opens each source; its sister `…_file` does too.
SETTING_OF: Mapping[Source, str] = {
    Source.GITHUB: "github_secret",
    Source.CLOUDEVENTS: "cloudevents_token",
    Source.ALERTMANAGER: "alertmanager_token",
    Source.S3: "s3_token",
    Source.SCHEDULE: "schedule_token",
    Source.PERSON: "person_token",
}


def secret_of(settings: TriggersSettings, name: str, folder: Path | None = None) -> Secret | None:
    """The secret that a setting, its sister `…_file`, or else a file of that name in `folder` holds; None where there is none."""
    given, file = getattr(settings, name), getattr(settings, f"{name}_file")
    if given is not None:
        return FixedSecret(given)
    if file is None and folder is not None and (folder / name).is_file():
        file = folder / name
    return None if file is None else FileSecret(file)


def make_doors(settings: TriggersSettings, folder: Path | None = None) -> Mapping[Source, Door]:
    """A door for each source. `folder` holds the private tokens of this machine.

    Raises SettingsError where a secret that is named cannot be read or is too short.
    """
    doors = {source: _door(settings, source, name, folder) for source, name in SETTING_OF.items()}
    return {**doors, Source.PUBSUB: _pubsub(settings)}


def _door(settings: TriggersSettings, source: Source, name: str, folder: Path | None) -> Door:
    secret = secret_of(settings, name, folder)
    if secret is None:
        return _closed(f"{name}_file")
    secret.check()
    if source is Source.GITHUB:
        return Door(_signed(secret, name), reads_body=True, check_form=_has_signature, secret=secret)
    return Door(_bearer(secret, name), secret=secret)


def _pubsub(settings: TriggersSettings) -> Door:
    if not settings.pubsub_audience:
        return _closed("pubsub_audience")
    identity = PushIdentity(settings.pubsub_audience, settings.pubsub_account)
    keys = KeySet(fetch_over_http(settings.pubsub_keys_url))
    return Door(
        lambda headers, _: check_push_token(identity, keys, headers.get("authorization")), fetches=True
    )


def _closed(setting: str) -> Door:
    def check(headers: Mapping[str, str], body: bytes) -> None:
        raise Closed(CLOSED, f"this source is closed; to open it, set {setting} ({PREFIX}{setting.upper()})")

    return Door(check, opened_by=setting)


def _has_signature(headers: Mapping[str, str]) -> None:
    signature_of(headers.get(SIGNED))


def _signed(secret: Secret, name: str) -> Check:
    def check(headers: Mapping[str, str], body: bytes) -> None:
        signature = headers.get(SIGNED)
        _any_of(secret, name, lambda value: check_hmac(value, signature, body))

    return check


def _bearer(secret: Secret, name: str) -> Check:
    def check(headers: Mapping[str, str], body: bytes) -> None:
        _any_of(secret, name, lambda value: check_bearer(value, headers.get("authorization")))

    return check


def _any_of(secret: Secret, name: str, check: Callable[[str], None]) -> None:
    """One of the secrets that are valid now has to fit."""
    values = secret.values()
    if not values:
        raise Closed(
            CLOSED, f"the file of {name} cannot be read or holds no secret, so this source is closed"
        )
    for value in values[:-1]:
        try:
            return check(value)
        except Unauthenticated:
            continue
    check(values[-1])


@dataclass(frozen=True)
class Readers:
    """Who may read the page and `/api`: whoever knows the reader's password or a person's token; without a password, this machine too."""

    password: Secret | None
    person: Secret | None = None

    def check(self, headers: Mapping[str, str], client: str) -> None:
        """Raises Unauthenticated where a password is needed, and Closed where none is set and the request is from elsewhere."""
        given = _given(headers.get("authorization"))
        if given and any(_fits(value, given) for value in self._known()):
            return
        if self.password is not None or given:
            raise Unauthenticated(READER, "give the reader's password, with any user name, or a bearer token")
        own = is_loopback(client) and is_loopback(_host_name(headers.get("host", "")))
        if not own or _came_by_proxy(headers):
            raise Closed(
                LOOPBACK_ONLY,
                "without a password only this machine may read, and nobody through a proxy; to read from elsewhere, "
                f"set reader_token_file ({PREFIX}READER_TOKEN_FILE)",
            )

    def _known(self) -> Sequence[str]:
        return [
            value
            for secret in (self.password, self.person)
            if secret is not None
            for value in secret.values()
        ]


def make_readers(settings: TriggersSettings, doors: Mapping[Source, Door]) -> Readers:
    """Who may read, by the settings. Raises SettingsError where the password cannot be read or is too short."""
    password = secret_of(settings, "reader_token")
    if password is not None:
        password.check()
    return Readers(password, doors[Source.PERSON].secret)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _host_name(header: str) -> str:
    """The name in a Host header. It is looked at because a web page elsewhere may let its own name point to this machine."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def _came_by_proxy(headers: Mapping[str, str]) -> bool:
    return any(name.startswith(_OF_PROXIES) for name in headers)


def _given(header: str | None) -> str:
    """The password or token of an Authorization header; empty where there is none that can be read."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _fits(known: str, given: str) -> bool:
    try:
        check_bearer(known, f"Bearer {given}")
    except Unauthenticated:
        return False
    return True
