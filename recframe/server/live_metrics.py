"""What a server counts: for Prometheus, and as small numbers for the page."""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from recframe.metric_names import CLICK_SIGNAL

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATEST = 2_000


class LiveMetrics:
    """Counters in a registry of their own. Used from the thread of the event loop."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        start = Gauge("recframe_start_time_seconds", "When the server was started, in unix seconds.", registry=self.registry)
        start.set(time.time())
        self._requests = Counter("recframe_requests", "Requests.", ["route", "method", "status"], registry=self.registry)
        self._seconds = Histogram("recframe_request_seconds", "Time of a request.", ["route"], registry=self.registry, buckets=SECONDS)
        self._shown = Counter("recframe_recommendations", "Recorded slates.", ["policy", "version"], registry=self.registry)
        self._explored = Counter("recframe_explored", "Slates that exploration has changed.", ["policy"], registry=self.registry)
        self._unrecorded = Counter("recframe_unrecorded", "Slates that the store could not take.", ["policy"], registry=self.registry)
        self._feedback = Counter("recframe_feedback", "Stored reports of feedback.", ["policy"], registry=self.registry)
        self._swaps = Counter("recframe_swaps", "New artefacts in the folders.", ["policy", "outcome"], registry=self.registry)
        self._latest: deque[float] = deque(maxlen=LATEST)
        self.requests = 0
        self.recommendations: Counts[str] = Counts()
        self.feedback = 0
        self._clicks: Counts[str] = Counts()

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Add a number that is asked for whenever the metrics are."""
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. route: its pattern, so that the number of labels is bounded."""
        self.requests += 1
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if route == "/recommend" and status < 400:
            self._latest.append(seconds)

    def recommended(self, policy: str, version: str, *, explored: bool, recorded: bool) -> None:
        """A slate is shown."""
        self.recommendations[policy] += 1
        if explored:
            self._explored.labels(policy).inc()
        if recorded:
            self._shown.labels(policy, version).inc()
        else:
            self._unrecorded.labels(policy).inc()

    def told(self, policy: str, signals: Mapping[str, float]) -> None:
        """Feedback is stored."""
        self.feedback += 1
        self._feedback.labels(policy).inc()
        if signals.get(CLICK_SIGNAL, 0) > 0:
            self._clicks[policy] += 1

    def swapped(self, policy: str, outcome: str) -> None:
        """A new artefact was "taken" or "refused"."""
        self._swaps.labels(policy, outcome).inc()

    def text(self) -> bytes:
        """All of it in Prometheus's format."""
        return generate_latest(self.registry)

    def milliseconds(self, share: float) -> float | None:
        """The quantile of the latest times of /recommend; None: there is none yet."""
        if not self._latest:
            return None
        ordered = sorted(self._latest)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def clicks_per_recommendation(self, policy: str) -> float | None:
        """Clicks by the number of slates since the start; None: none was shown."""
        shown = self.recommendations[policy]
        return self._clicks[policy] / shown if shown else None
