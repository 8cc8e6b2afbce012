"""Doors: what is closed, who gets in, how a secret is changed, and that none is ever told."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from pedalflow.errors import SettingsError
from triggers.doors import SETTING_OF, Closed, Readers, is_loopback, make_doors, make_readers
from triggers.errors import Unauthenticated
from triggers.events import Source
from triggers.private_files import make_tokens
from triggers.secret_values import FileSecret, FixedSecret
from triggers.settings import TriggersSettings

OLD, NEW = "an-old-secret-of-24-chars", "another-secret-of-26-chars"
BEARER = {source: name for source, name in SETTING_OF.items() if source is not Source.GITHUB}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def basic(password: str, user: str = "anybody") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def written(path: Path, text: str) -> Path:
    """As a careful administrator changes it: a new file in the place of the old one."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.rename(path)
    return path


@pytest.mark.parametrize("source", Source, ids=lambda source: source.value)
def test_a_source_without_a_secret_is_closed_and_says_what_opens_it(source: Source) -> None:
    door = make_doors(TriggersSettings())[source]
    with pytest.raises(Closed, match=rf"set {door.opened_by} \(PEDALFLOW_TRIGGERS_[A-Z0-9_]+\)") as closed:
        door.check({**bearer(""), "x-hub-signature-256": "sha256="}, b"")
    assert (closed.value.status, closed.value.rule) == (403, "CLOSED")


@pytest.mark.parametrize("source", BEARER, ids=lambda source: source.value)
def test_each_source_has_a_token_of_its_own(source: Source, tmp_path: Path) -> None:
    make_tokens(tmp_path, SETTING_OF.values())
    doors = make_doors(TriggersSettings(), tmp_path)
    for other, name in BEARER.items():
        token = (tmp_path / name).read_text().strip()
        if other is source:
            doors[source].check(bearer(token), b"")
        else:
            with pytest.raises(Unauthenticated):
                doors[source].check(bearer(token), b"")


def test_only_githubs_proof_is_about_the_body(tmp_path: Path) -> None:
    make_tokens(tmp_path, SETTING_OF.values())
    doors = make_doors(TriggersSettings(), tmp_path)
    assert [source for source, door in doors.items() if door.reads_body] == [Source.GITHUB]


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "a" * 63,
        "sha256=" + "g" * 64,
        "sha1=" + "a" * 40,
        "sha256=" + "\u0661" * 64,
    ],
)
def test_a_signature_of_another_form_is_refused_before_there_is_a_body(
    tmp_path: Path, signature: str | None
) -> None:
    make_tokens(tmp_path, SETTING_OF.values())
    door = make_doors(TriggersSettings(), tmp_path)[Source.GITHUB]
    with pytest.raises(Unauthenticated):
        door.check_form({} if signature is None else {"x-hub-signature-256": signature})
    door.check_form({"x-hub-signature-256": "sha256=" + "a" * 64})


def test_only_pubsubs_proof_may_need_a_key_from_elsewhere(tmp_path: Path) -> None:
    make_tokens(tmp_path, SETTING_OF.values())
    settings = TriggersSettings(pubsub_audience="https://example.com", pubsub_account="me@example.com")
    doors = make_doors(settings, tmp_path)
    assert [source for source, door in doors.items() if door.fetches] == [Source.PUBSUB]


def test_a_secret_in_the_settings_counts_before_the_private_file(tmp_path: Path) -> None:
    make_tokens(tmp_path, SETTING_OF.values())
    door = make_doors(TriggersSettings(s3_token=SecretStr(NEW)), tmp_path)[Source.S3]
    door.check(bearer(NEW), b"")
    with pytest.raises(Unauthenticated):
        door.check(bearer((tmp_path / "s3_token").read_text().strip()), b"")


def test_a_changed_file_is_read_again_and_the_old_secret_is_out(tmp_path: Path) -> None:
    file = written(tmp_path / "token", OLD)
    door = make_doors(TriggersSettings(s3_token_file=file))[Source.S3]
    door.check(bearer(OLD), b"")
    written(file, f"{NEW}\n")
    door.check(bearer(NEW), b"")
    with pytest.raises(Unauthenticated):
        door.check(bearer(OLD), b"")


def test_while_a_file_holds_two_secrets_both_are_right(tmp_path: Path) -> None:
    door = make_doors(TriggersSettings(s3_token_file=written(tmp_path / "token", f"{OLD}\n\n{NEW}\n")))[
        Source.S3
    ]
    door.check(bearer(OLD), b"")
    door.check(bearer(NEW), b"")
    with pytest.raises(Unauthenticated):
        door.check(bearer(OLD + NEW), b"")


@pytest.mark.parametrize("text", [None, "", "\n \n", "short"])
def test_a_file_that_loses_its_secret_closes_the_door(tmp_path: Path, text: str | None) -> None:
    file = written(tmp_path / "token", OLD)
    door = make_doors(TriggersSettings(s3_token_file=file))[Source.S3]
    if text is None:
        file.unlink()
    else:
        written(file, text)
    for token in (OLD, "", "short", (text or "").strip()):
        with pytest.raises(Closed):
            door.check(bearer(token), b"")


@pytest.mark.parametrize("text", ["", "0123456789"])
def test_at_the_start_a_file_without_a_long_enough_secret_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand -hex 32"):
        make_doors(TriggersSettings(github_secret_file=written(tmp_path / "secret", text)))


def test_a_short_secret_from_the_environment_is_an_error() -> None:
    with pytest.raises(SettingsError, match="fewer than 16"):
        make_doors(TriggersSettings(person_token=SecretStr("short")))


def test_private_tokens_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make_tokens(folder, ["person_token", "s3_token"])
    before = {path.name: path.read_text() for path in made}
    assert make_tokens(folder, ["person_token", "s3_token"]) == ()
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert len(set(before.values())) == 2 and all(len(text.strip()) == 64 for text in before.values())
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, *made)] == ["0o700", "0o600", "0o600"]


def test_no_secret_is_shown_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = written(tmp_path / "token", OLD)
    settings = TriggersSettings(s3_token_file=file, person_token=SecretStr(NEW))
    doors = make_doors(settings)
    errors = []
    for source in (Source.S3, Source.PERSON):
        with pytest.raises(Unauthenticated) as refused:
            doors[source].check(bearer("a guess"), b"")
        errors.append(str(refused.value))
    os.unlink(file)
    with pytest.raises(Closed) as closed:
        doors[Source.S3].check(bearer(OLD), b"")
    told = f"{settings!r} {doors!r} {errors} {closed.value} {caplog.text} {FileSecret(file)!r} {FixedSecret(SecretStr(NEW))!r}"
    assert OLD not in told and NEW not in told and "a guess" not in told


LOCAL = {"host": "127.0.0.1:9100"}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (LOCAL, "127.0.0.1"),
        ({"host": "localhost"}, "127.0.0.1"),
        ({"host": "LOCALHOST:80"}, "::1"),
        ({"host": "[::1]:9100"}, "::1"),
        (LOCAL, "::ffff:127.0.0.1"),
    ],
)
def test_without_a_password_this_machine_may_read(headers: dict[str, str], client: str) -> None:
    Readers(None).check(headers, client)


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (LOCAL, "192.0.2.1"),
        (LOCAL, ""),
        (LOCAL, "localhost.example.com"),
        ({"host": "rebound.example.com"}, "127.0.0.1"),
        ({"host": "127.0.0.1.example.com"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
    ],
)
def test_without_a_password_nobody_else_may(headers: dict[str, str], client: str) -> None:
    with pytest.raises(Closed, match="reader_token_file"):
        Readers(None).check(headers, client)


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-real-ip"]
)
def test_without_a_password_nobody_may_through_a_proxy_on_this_machine(header: str) -> None:
    with pytest.raises(Closed, match="through a proxy"):
        Readers(None).check({**LOCAL, header: "127.0.0.1"}, "127.0.0.1")


def readers() -> Readers:
    settings = TriggersSettings(reader_token=SecretStr(OLD), person_token=SecretStr(NEW))
    return make_readers(settings, make_doors(settings))


@pytest.mark.parametrize("given", [basic(OLD), basic(OLD, ""), basic(NEW), bearer(OLD), bearer(NEW)])
def test_the_password_or_a_persons_token_opens_the_page_from_anywhere(given: dict[str, str]) -> None:
    readers().check({"host": "triggers.example.com", **given}, "192.0.2.1")


@pytest.mark.parametrize(
    "given",
    [
        {},
        basic(""),
        basic("wrong"),
        basic(OLD[:-1]),
        bearer("wrong"),
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"authorization": "Basic"},
        {"authorization": f"Digest {OLD}"},
    ],
)
def test_with_a_password_even_this_machine_needs_it(given: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        readers().check({**LOCAL, **given}, "127.0.0.1")


def test_a_password_whose_file_is_gone_opens_the_page_to_nobody(tmp_path: Path) -> None:
    settings = TriggersSettings(reader_token_file=written(tmp_path / "password", OLD))
    found = make_readers(settings, make_doors(settings))
    found.check({**LOCAL, **basic(OLD)}, "127.0.0.1")
    (tmp_path / "password").unlink()
    for given in ({}, basic(OLD), basic("")):
        with pytest.raises(Unauthenticated):
            found.check({**LOCAL, **given}, "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_machines_own(host: str, own: bool) -> None:
    assert is_loopback(host) is own
