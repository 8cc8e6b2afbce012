"""An application answers the same with the shortcuts and without, and Flask is asked about a host once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import flask
import pytest
from werkzeug.routing import MapAdapter
from werkzeug.test import Client

from serving.flask_shortcuts import WholeReply, knowing_hosts

Answer = tuple[str, list[tuple[str, str]], bytes]


def application(kind: type[flask.Flask]) -> flask.Flask:
    app = kind("shop")

    @app.route("/predict", methods=["GET", "POST"])
    def predict() -> flask.Response:
        return app.response_class(b'{"count": 3}', mimetype="application/json")

    @app.route("/moved", methods=["POST"])
    def moved() -> flask.Response:
        return app.response_class(b"", headers={"Location": "/predict"})

    @app.route("/streamed", methods=["POST"])
    def streamed() -> flask.Response:
        def parts() -> Iterator[bytes]:
            yield b"one"
            yield b"two"

        return app.response_class(parts(), mimetype="text/plain")

    @app.route("/refused", methods=["POST"])
    def refused() -> flask.Response:
        return app.response_class(b"no", 400)

    @app.route("/échelle", methods=["POST"])
    def scale() -> flask.Response:
        return app.response_class(flask.url_for("predict", _external=True))

    @app.route("/folder/", methods=["POST"])
    def folder() -> flask.Response:
        return app.response_class(flask.request.host)

    return app


class Quick(flask.Flask):
    response_class = WholeReply
    create_url_adapter = knowing_hosts(flask.Flask.create_url_adapter)


def answer(client: Client, method: str, path: str, **options: Any) -> Answer:
    reply = client.open(path, method=method, **options)
    return reply.status, list(reply.headers), reply.get_data()


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/predict", {}),
        ("GET", "/predict", {}),
        ("HEAD", "/predict", {}),
        ("OPTIONS", "/predict", {}),
        ("DELETE", "/predict", {}),
        ("POST", "/predict?rows=1", {}),
        ("POST", "//predict?rows=1", {}),
        ("POST", "/predict", {"query_string": "grüße=1"}),
        ("POST", "//predict", {}),
        ("POST", "/nowhere", {}),
        ("POST", "/moved", {}),
        ("POST", "/streamed", {}),
        ("POST", "/refused", {}),
        ("POST", "/échelle", {"base_url": "https://shop.example:8443/"}),
        ("POST", "/échelle", {"base_url": "http://other.example/below/"}),
        ("POST", "/folder", {}),
        ("POST", "/folder/", {"headers": {"Host": "shop.example"}}),
        ("POST", "/folder/", {"headers": {"Host": "no host at all"}}),
        ("GET", "/predict", {"headers": {"Connection": "upgrade", "Upgrade": "websocket"}}),
    ],
)
def test_the_answer_is_that_of_flask_the_first_time_and_later(
    method: str, path: str, options: dict[str, Any]
) -> None:
    plain, quick = Client(application(flask.Flask)), Client(application(Quick))
    expected = answer(plain, method, path, **options)
    assert [answer(quick, method, path, **options) for _ in range(3)] == [expected] * 3


def test_who_waits_for_the_end_of_a_reply_is_told() -> None:
    app, told = application(Quick), []

    @app.after_request
    def tell(reply: flask.Response) -> flask.Response:
        reply.call_on_close(lambda: told.append("closed"))
        return reply

    Client(app).post("/predict").close()
    assert told == ["closed"]


def test_flask_is_asked_about_a_host_once_and_no_more_than_so_many_are_remembered() -> None:
    asked: list[str] = []

    def create(app: flask.Flask, request: flask.Request | None) -> MapAdapter | None:
        if request is not None:
            asked.append(request.environ["HTTP_HOST"])
        return flask.Flask.create_url_adapter(app, request)

    class Counted(Quick):
        create_url_adapter = knowing_hosts(create)

    client = Client(application(Counted))
    for host in ["a.example", "b.example", "a.example", "a.example"]:
        client.post("/predict", headers={"Host": host})
    assert asked == ["a.example", "b.example"]
    for number in range(200):
        client.post("/predict", headers={"Host": f"host{number}.example"})
    asked.clear()
    for host in ["a.example", "host0.example", "host199.example"]:
        assert client.post("/predict", headers={"Host": host}).status_code == 200
    assert asked == ["host199.example"]
