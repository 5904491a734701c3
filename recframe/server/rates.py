"""How many requests a client may make: token buckets, for a bounded number of clients."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

CLIENTS = 50_000


class RequestRates:
    """A bucket for each client that fills with `rate` tokens a second, up to two seconds' worth; a request takes one.

    rate: requests per second; 0: no limit.   clock: seconds.   Used from one thread.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, 2 * rate)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_of(self, client: str) -> float:
        """Take a token. Returns 0, or where there is none the seconds until there is."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(client, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - allowed, now)
        if len(self._buckets) > CLIENTS:
            # it was idle longest, so that its bucket is the fullest
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate
