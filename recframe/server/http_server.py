"""The HTTP server: uvicorn, with limits for slow clients."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from recframe.server.config import ServeConfig
from recframe.server.errors import RETRY_SECONDS, error_answer

log = logging.getLogger(__name__)
LARGEST_HEADERS = 32 * 1024


class PatientProtocol(H11Protocol):
    """uvicorn's protocol in pure Python, with limits for slow clients.

    It gives a new connection a limited time for the headers of its first request, and gives up a client that reads nothing of what is
    sent to it for as long. Where too many connections are open, it says so as other errors are said.
    """

    SECONDS = 15.0
    CONNECTIONS = 1_000
    _due: asyncio.TimerHandle | None = None
    _read_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the headers."""
        super().connection_made(transport)
        # all that the client does not take at once counts as not read
        transport.set_write_buffer_limits(high=0)
        self._due = self.loop.call_later(self.SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Go on; between two requests, wait as long for the next one's headers, however slowly they arrive."""
        self.app = _too_many_connections if len(self.connections) > self.CONNECTIONS else self.config.loaded_app
        super().data_received(data)
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._due is None:
            self._due = self.loop.call_later(self.SECONDS, self._give_up)
        elif not waits:
            self._stop_waiting()

    def pause_writing(self) -> None:
        """Begin to wait until the client reads."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def _wait_for_reader(self) -> None:
        self._stop_waiting_for_reader()
        self._read_due = self.loop.call_later(self.SECONDS, self._give_up_reader, self.transport.get_write_buffer_size())

    def _stop_waiting_for_reader(self) -> None:
        if self._read_due is not None:
            self._read_due.cancel()
            self._read_due = None

    def _give_up_reader(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() < unread:
            # it reads, if slowly
            self._wait_for_reader()
        else:
            self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


async def _too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    log.warning("a request is refused: more connections are open than may (limits.connections)")
    headers = {"Retry-After": str(RETRY_SECONDS), "Connection": "close"}
    await error_answer(503, "too many connections are open; try again (limits.connections)", headers)(scope, receive, send)


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
    protocol = type("ConfiguredProtocol", (PatientProtocol,), {"SECONDS": config.limits.seconds, "CONNECTIONS": config.limits.connections})
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
