"""HTTP with Kubeflow Pipelines: what each unpleasant answer becomes, what is tried again, and that the token stays secret."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pedalflow.errors import PedalflowError, SettingsError
from pipelines.kubeflow import api, api_once
from pipelines.kubeflow.api import Api
from pipelines.kubeflow.api_connection import Connection
from pipelines.kubeflow.api_errors import Conflict, NotThere, TryLater
from pipelines.kubeflow.api_once import find_or_make
from tests.samples.certificates import self_made
from tests.samples.json_server import Asked, Told, json_server

TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (api, api_once):
        monkeypatch.setattr(module, "PAUSES_S", (0.0, 0.0, 0.0))


@contextmanager
def answering(*told: Told | None, **connection: Any) -> Iterator[tuple[Api, list[Asked]]]:
    """A server that gives these answers, the last one for ever, and what it was asked."""
    asked: list[Asked] = []

    def reply(request: Asked) -> Told | None:
        asked.append(request)
        return told[min(len(asked), len(told)) - 1]

    with json_server(reply) as address:
        yield Api(Connection(address, **connection), timeout_s=20.0), asked


def look(server: Api) -> dict[str, Any]:
    return server.get("looking", "/pipelines", filter="", page_size=1)


def test_an_answer_is_its_json_and_empty_values_are_not_sent() -> None:
    with answering(Told({"a": 1})) as (server, asked):
        assert look(server) == {"a": 1}
    assert [(a.method, a.path, a.query) for a in asked] == [
        ("GET", "/apis/v2beta1/pipelines", {"page_size": "1"})
    ]


@pytest.mark.parametrize("passing", [Told("", 503), Told("", 429), Told({"message": "busy"}, 500), None])
def test_a_question_is_asked_again_until_it_is_answered(passing: Told | None) -> None:
    with answering(passing, passing, Told({"a": 1})) as (server, asked):
        assert look(server) == {"a": 1}
    assert len(asked) == 3


def test_a_question_that_is_never_answered_ends_in_a_sentence() -> None:
    with answering(Told({"message": "no room"}, 503)) as (server, asked), pytest.raises(TryLater) as error:
        look(server)
    assert re.fullmatch(
        r"Kubeflow Pipelines at http://127\.0\.0\.1:\d+: looking was answered with 503 \(no room\); try again",
        str(error.value),
    )
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        (Told({"message": "no\nidea"}, 400), SettingsError, "answered with 400 (no idea); compare"),
        (
            Told({"error": "expired"}, 401),
            SettingsError,
            "(expired); put a valid token into the file that --token-file names",
        ),
        (
            Told({"error_message": "mine"}, 403),
            SettingsError,
            "(mine); give the account of the token the right",
        ),
        (Told("<html>", 404), NotThere, "answered with 404; look at --host"),
        (
            Told("<html>Log in</html>"),
            SettingsError,
            "something else than JSON; is a login page in front of it?",
        ),
        (Told([]), SettingsError, "something else than JSON"),
        (
            Told("", 302, (("Location", "http://127.0.0.1:1/login"),)),
            SettingsError,
            "a redirection; is a login page",
        ),
    ],
)
def test_what_somebody_has_to_mend_is_said_at_once(told: Told, kind: type[PedalflowError], said: str) -> None:
    with answering(told) as (server, asked), pytest.raises(kind, match=re.escape(said)):
        look(server)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("told", "kind"), [(Told("", 503), TryLater), (None, TryLater), (Told("", 409), Conflict)]
)
def test_what_changes_something_is_sent_once(told: Told | None, kind: type[PedalflowError]) -> None:
    with answering(told) as (server, asked), pytest.raises(kind):
        server.post("starting", "/runs", {})
    assert len(asked) == 1


@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_a_server_that_is_not_there_is_worth_another_try(host: str) -> None:
    with pytest.raises(TryLater, match=re.escape(host) + ".* got no answer .*is it running"):
        look(Api(Connection(host)))


def test_a_file_goes_as_a_form_with_its_bytes_as_they_are() -> None:
    file = b"\r\n--a\x00\xff: {}\r\n"
    with answering(Told({})) as (server, asked):
        server.upload("uploading", "/pipelines/upload_version", file, {"name": "v", "tags": '{"a": "b c"}'})
    (got,) = asked
    assert got.query == {"name": "v", "tags": '{"a": "b c"}'}
    assert file + b"\r\n--" in got.body and b'name="uploadfile"; filename="pipeline.yaml"\r\n' in got.body


def test_the_token_is_read_again_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with answering(Told({}), token_file=file) as (server, asked):
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            look(server)
    assert [a.headers["authorization"] for a in asked] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    "told",
    [
        Told("", 401),
        Told("", 500),
        Told("<html>"),
        None,
        Told("", 302, (("Location", "http://127.0.0.1:1"),)),
    ],
)
def test_the_token_is_in_no_error_and_no_traceback(told: Told | None, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with answering(told, token_file=file) as (server, asked), pytest.raises(PedalflowError) as error:
        look(server)
    assert asked[0].headers["authorization"] == f"Bearer {TOKEN}", "it was sent"
    shown = "".join(traceback.format_exception(error.value))
    assert TOKEN not in shown + repr(server) + repr(server.connection)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", "tök".encode(), b"a\nb", b"\xff"])
def test_a_file_without_a_token_is_named_and_its_content_is_not(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with (
        answering(Told({}), token_file=file) as (server, asked),
        pytest.raises(SettingsError, match=f"the token file {file} (cannot be read|holds no token)") as error,
    ):
        look(server)
    assert asked == []
    assert not content or not content.strip() or content.decode("latin-1") not in str(error.value)


def test_tls_trusts_the_given_authority_and_no_other(tmp_path: Path) -> None:
    made = self_made(tmp_path)
    with json_server(lambda asked: Told({"a": 1}), made.server) as address:
        assert look(Api(Connection(address, ca_file=made.authority))) == {"a": 1}
        with pytest.raises(SettingsError, match=r"no trusted TLS connection.*--ca-file"):
            look(Api(Connection(address)))


def test_a_scheme_in_capitals_is_https_all_the_same(tmp_path: Path) -> None:
    made = self_made(tmp_path)
    with json_server(lambda asked: Told({"a": 1}), made.server) as address:
        shouted = address.replace("https", "HTTPS")
        assert look(Api(Connection(shouted, ca_file=made.authority))) == {"a": 1}


def test_no_proxy_gets_a_token_in_the_clear(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    overheard: list[Asked] = []
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def proxied(request: Asked) -> Told:
        overheard.append(request)
        return Told({"of": "the proxy"})

    with json_server(proxied) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        with answering(Told({"a": 1}), token_file=file) as (server, asked):
            assert look(server) == {"a": 1}
    assert (len(asked), overheard) == (1, [])


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SettingsError, match=r"ca\.pem holds no certificates"):
        Api(Connection("https://kubeflow.example.org", ca_file=tmp_path / "ca.pem"))


class Shelf:
    """Something that may be on it, and what putting it there comes to: an error before or after it is there, or none."""

    def __init__(self, *comes_to: tuple[bool, type[TryLater] | None]) -> None:
        self.comes_to, self.there, self.put = list(comes_to), 0, 0

    def find(self) -> str | None:
        return "thing" if self.there else None

    def make(self) -> str:
        self.put += 1
        made, error = self.comes_to.pop(0)
        self.there += made
        if error:
            raise error("x")
        return "thing"


@pytest.mark.parametrize(
    ("comes_to", "mine"),
    [
        ([(True, None)], True),
        ([(True, TryLater)], True),  # the answer was lost
        ([(True, Conflict)], False),  # somebody else was faster
        ([(False, TryLater), (True, None)], True),
        ([(False, TryLater)] * 3 + [(True, None)], True),
    ],
)
def test_a_thing_is_made_once_however_its_making_goes(comes_to: Any, mine: bool) -> None:
    shelf = Shelf(*comes_to)
    assert find_or_make(shelf.find, shelf.make) == ("thing", mine)
    assert (shelf.there, shelf.put) == (1, len(comes_to))


def test_what_is_there_is_not_made() -> None:
    shelf = Shelf()
    shelf.there = 1
    assert find_or_make(shelf.find, shelf.make) == ("thing", False)


def test_what_cannot_be_made_ends_in_its_error() -> None:
    shelf = Shelf(*[(False, TryLater)] * 9)
    with pytest.raises(TryLater):
        find_or_make(shelf.find, shelf.make)
    assert shelf.put == 4


def test_an_error_body_that_is_cut_off_is_still_an_answer() -> None:
    with (
        answering(Told(json.dumps({"message": "x"})[:-3], 403)) as (server, _),
        pytest.raises(SettingsError, match="403"),
    ):
        look(server)
