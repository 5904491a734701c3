"""The HTTP server: uvicorn, with limits for slow clients."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from recframe.server.config import ServeConfig

log = logging.getLogger(__name__)
LARGEST_HEADERS = 32 * 1024


class PatientProtocol(H11Protocol):
    """uvicorn's protocol in pure Python, which gives a new connection a limited time for the headers of its first request."""

    SECONDS = 15.0
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the headers."""
        super().connection_made(transport)
        self._due = self.loop.call_later(self.SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Go on; between two requests, wait as long for the next one's headers, however slowly they arrive."""
        super().data_received(data)
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._due is None:
            self._due = self.loop.call_later(self.SECONDS, self._give_up)
        elif not waits:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


class GracefulServer(uvicorn.Server):
    """uvicorn's server, which ends with status 0 when it was asked to stop and has finished."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C, once."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def uvicorn_config(app: ASGIApp, config: ServeConfig) -> uvicorn.Config:
    """The settings of uvicorn for an application."""
    protocol = type("ConfiguredProtocol", (PatientProtocol,), {"SECONDS": config.limits.seconds})
    return uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=config.access_log,
        server_header=False,
        proxy_headers=bool(config.proxies),
        forwarded_allow_ips=config.proxies,
        limit_concurrency=config.limits.connections,
        timeout_graceful_shutdown=config.shutdown_seconds,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
    )


def serve_app(app: ASGIApp, config: ServeConfig) -> None:
    """Answer requests until the process is asked to stop.

    Raises
    ------
    SystemExit: the address cannot be listened at.
    """
    GracefulServer(uvicorn_config(app, config)).run()
