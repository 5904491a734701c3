"""What every request passes: its size and time, keys, rates, headers of the answer, and counting. Plain ASGI, so that it costs little."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recframe.server.config import ServeConfig
from recframe.server.errors import error_answer
from recframe.server.keys import ApiKeys, holder, key_in
from recframe.server.live_metrics import LiveMetrics
from recframe.server.rates import RequestRates

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "POST")
log = logging.getLogger(__name__)
FAILED = "something failed in the server; its log says what"
OPEN_PATHS = ("/", "/health", "/openapi.json", "/favicon.ico")
PAGE = "/page/"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}


class Admission:
    """Lets requests through to an application.

    Parameters
    ----------
    app: the application.   config: the server's settings.   metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: LiveMetrics) -> None:
        self.app = app
        self.limits = config.limits
        self.metrics = metrics
        self.keys = ApiKeys(config.api_key_variable)
        self.admin_keys = ApiKeys(config.admin_key_variable)
        self.rates = RequestRates(config.limits.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def counted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, counted_send)
            else:
                await self.app(scope, self._limited(receive), counted_send)
        except Exception:
            # told in the log, and not by uvicorn, which would cut the connection
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                await error_answer(500, FAILED)(scope, receive, counted_send)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            # a client may invent methods, and each label stays for good
            method = scope["method"] if route != "other" and scope["method"] in METHODS else "other"
            self.metrics.request(route, method, status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        key = key_in(headers)
        who = holder(key, (self.keys, self.admin_keys))
        client = who or (scope["client"][0] if scope.get("client") else "unknown")
        if wait := self.rates.wait_of(client):
            return error_answer(429, "too many requests; wait a moment (limits.requests)", {"Retry-After": str(math.ceil(wait))})
        path = scope["path"]
        if self.keys and who is None and path not in OPEN_PATHS and not path.startswith(PAGE) and scope["method"] != "OPTIONS":
            said = "wrong" if key is not None else "missing; send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            return error_answer(401, f"the API key is {said}", {"WWW-Authenticate": "Bearer"})
        scope.setdefault("state", {})["admin"] = bool(self.admin_keys) and self.admin_keys.holder_of(key) is not None
        length = headers.get("content-length", "")
        if length.isdigit() and len(length) < 20 and int(length) > self.limits.body:
            return self._too_large()
        return None

    def _too_large(self) -> ASGIApp:
        # the rest of the body is not read
        return error_answer(413, f"the body is larger than {self.limits.body} bytes (limits.body)", {"Connection": "close"})

    def _limited(self, receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> Receive:
        """A body that is counted while it arrives, also where its size was not told, and that must arrive in time."""
        arrived = 0
        complete = False
        due = time.monotonic() + self.limits.seconds

        async def limited() -> Message:
            nonlocal arrived, complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, due - time.monotonic()))
            except TimeoutError:
                raise HTTPException(408, f"the request did not arrive within {self.limits.seconds:g} s", {"Connection": "close"}) from None
            arrived += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if arrived > self.limits.body:
                text = f"the body is larger than {self.limits.body} bytes (limits.body)"
                raise HTTPException(413, text, {"Connection": "close"})
            return message

        return limited
