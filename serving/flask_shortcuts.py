"""Two things that Flask does for every request, though they come out the same each time. What is not plain goes Flask's own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import flask
from werkzeug.routing import MapAdapter

_HOST = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME", "wsgi.url_scheme")
_MOST_HOSTS = 64  # clients use a few names; whoever tries many must not fill the memory

Create = Callable[[flask.Flask, "flask.Request | None"], "MapAdapter | None"]


class WholeReply(flask.Response):
    """A reply that leaves as it is where its head says nothing but the type and the length of a body that is there already.

    Flask looks through the head once more before a reply leaves, and wraps the body to be told when it has left.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not self._is_plain(environ):
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return self.response

    def _is_plain(self, environ: dict[str, Any]) -> bool:
        return (
            environ["REQUEST_METHOD"] == "POST"
            and self.status_code == 200
            and type(self.response) is list
            and len(self.headers) == 2
            and "Content-Length" in self.headers
            and not self._on_close
        )


def knowing_hosts(create: Create) -> Create:
    """Flask's `create_url_adapter`, asked about each host once: it checks the name, which takes longer than finding the route."""
    known: dict[tuple[Any, ...], MapAdapter] = {}

    def create_url_adapter(app: flask.Flask, request: flask.Request | None) -> MapAdapter | None:
        if request is None:
            return create(app, request)
        environ = request.environ
        path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        if not (path.isascii() and query.isascii()) or "HTTP_UPGRADE" in environ:
            return create(app, request)
        key = (app, *map(environ.get, _HOST))
        host = known.get(key)
        if host is None:
            host = create(app, request)
            if host is not None and len(known) < _MOST_HOSTS:
                known[key] = host
            return host
        return MapAdapter(
            host.map,
            host.server_name,
            host.script_name,
            host.subdomain,
            host.url_scheme,
            path,
            environ["REQUEST_METHOD"],
            query,
        )

    return create_url_adapter
