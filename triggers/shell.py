"""The outermost layer of the web application: headers that every answer carries, and one plain answer for what nobody foresaw."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triggers.answers import Fault, Refusal

logger = logging.getLogger("pedalflow.triggers")

UNEXPECTED, STOPPING = "UNEXPECTED", "STOPPING"
STOPPING_AGAIN_S = 5  # when a sender may try again whose delivery was cut short because the service stops
# The page has no script, one style sheet of its own, and nothing from elsewhere.
POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def refusal(status: int, rule: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that is no success."""
    content = Refusal(error=Fault(rule=rule, message=message)).model_dump()
    return JSONResponse(content, status_code=status, headers=headers)


def _stopping() -> JSONResponse:
    message = "the service is being stopped; send it again when it runs"
    return refusal(503, STOPPING, message, {"Retry-After": str(STOPPING_AGAIN_S)})


class Shell:
    """Wraps the application. Of an unexpected error only its class and the places in the code are logged, never what was sent.

    What is cancelled, because the service stops and it took too long, is answered as well, and goes no further.
    """

    def __init__(self, app: ASGIApp, failed: Callable[[str], None]) -> None:
        self._app = app
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            if not begun:
                await _stopping()(scope, receive, send_with_headers)
        except ClientDisconnect:
            logger.info("a client went away before its body was complete")
        except Exception as error:
            self._failed(UNEXPECTED.lower())
            places = "".join(traceback.format_tb(error.__traceback__))
            logger.error(
                "unexpected %s at %s %s\n%s", type(error).__name__, scope["method"], scope["path"], places
            )
            if not begun:
                answer = refusal(
                    500, UNEXPECTED, "an error that nobody foresaw; the log of the service has it"
                )
                await answer(scope, receive, send_with_headers)
