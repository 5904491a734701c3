"""When a request to a model's endpoint is sent, and when it is sent again."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Self

from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import InvalidHeader, MaxRetryError, NewConnectionError, ProxyError, ResponseError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry

from recframe.endpoints.clock import Clock

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before a request is sent again: doubled each time, from the first up to the longest."""
LONGEST_ASKED_WAIT = 600.0
"""The longest wait, in seconds, that a server's `Retry-After` may ask for."""
RETRIED_STATUSES = frozenset({408, 429, *range(500, 600)})
"""Timeouts, rate limits and server errors."""


class RateLimit:
    """Keeps requests to a rate, also those of several threads together.

    Parameters
    ----------
    per_minute: the highest rate; None: no limit.
    """

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._interval = None if per_minute is None else 60 / per_minute
        self._clock = clock
        self._earliest = -float("inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait until the next request may be sent."""
        if self._interval is None:
            return
        with self._lock:
            now = self._clock.monotonic()
            wait = self._earliest - now
            self._earliest = max(now, self._earliest) + self._interval
        if wait > 0:
            self._clock.sleep(wait)


@dataclass
class Server:
    """State that a client keeps for a server between requests.

    answered: whether the server has ever answered.
    """

    clock: Clock
    rate_limit: RateLimit
    answered: bool = False


class EndpointRetry(Retry):
    """urllib3's retries for a model's endpoint.

    A request is sent again after 408, 429, 5xx, timeouts and lost connections. The wait is what `Retry-After` says, or else it doubles each
    time, less a random part of up to a half (Brooker, 2015, "Exponential Backoff and Jitter"). A request is not sent again if the server
    asks for more than `LONGEST_ASKED_WAIT`, if TLS or a proxy fails, or if no server has ever answered at this address.
    """

    # only the statuses of `status_forcelist` are retried, with or without the header
    RETRY_AFTER_STATUS_CODES = frozenset()

    server: Server

    @classmethod
    def of(cls, retries: int, server: Server) -> Self:
        """At most `retries` retries of a request to `server`. Each also waits for the rate limit."""
        policy = cls(total=retries, allowed_methods=None, status_forcelist=RETRIED_STATUSES, raise_on_status=False)
        policy.server = server
        return policy

    def new(self, **changes: Any) -> Self:
        """A copy with changes."""
        policy = super().new(**changes)
        policy.server = self.server
        return policy

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: Any = None,
    ) -> Self:
        """Count a failure; raises `MaxRetryError` if the request must not be sent again."""
        self.server.answered |= response is not None
        asked = None if response is None else self.get_retry_after(response)
        wrong_address = isinstance(error, NewConnectionError) and not self.server.answered
        if _pool is not None and (isinstance(error, (SSLError, ProxyError)) or wrong_address or (asked or 0) > LONGEST_ASKED_WAIT):
            raise MaxRetryError(_pool, url or "", error or ResponseError("Retry-After is too long"))
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """The wait that `Retry-After` asks for, in seconds; None without the header, or if it is malformed."""
        try:
            return super().get_retry_after(response)
        except InvalidHeader:
            return None

    def get_backoff_time(self) -> float:
        """Seconds to wait if the server does not say."""
        doubled: float = FIRST_WAIT * 2 ** (len(self.history) - 1)
        return min(doubled, LONGEST_WAIT) * (1 - self.server.clock.uniform() / 2)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait before the request is sent again."""
        asked = None if response is None else self.get_retry_after(response)
        self.server.clock.sleep(self.get_backoff_time() if asked is None else asked)
        self.server.rate_limit.wait()
