"""A server that is kept busy for long: memory, requests per second and latency over time, and whether feedback was lost or doubled.

`benchmarks/serving.py --saturate` runs it.
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from recframe.feedback import RecordedFeedback
from recframe.feedback.store import FeedbackStore

VISIT = 12
"""Answers of a session before its client begins another one."""
EXPLAINED = 100
"""One in so many answers is explained, too."""


class Told(NamedTuple):
    """Feedback that was acknowledged."""

    recommendation: str
    item: str
    key: str


@dataclass
class Busy:
    """What the clients have seen.   seconds: of answers since the last look.   statuses: how often each came."""

    told: list[Told] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    mixed: int = 0
    failed: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Somebody who asks and gives feedback without a pause. A session's history must be that of its own feedback."""

    def __init__(self, number: int, port: int, busy: Busy, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._number, self._busy, self._ended = number, busy, ended
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def run(self) -> None:
        """Visit until the end."""
        visit = 0
        try:
            while not self._ended.is_set():
                self._visit(f"{self._number}-{visit}")
                visit += 1
        except Exception as error:
            self._busy.failed.append(repr(error))

    def _visit(self, session: str) -> None:
        clicked: list[str] = []
        for turn in range(VISIT):
            begun = time.perf_counter()
            status, answer = self._post("/recommend", {"session": session, "k": 10, "exclude": []})
            self._busy.seconds.append(time.perf_counter() - begun)
            if status != 200:
                continue
            item, key = answer["items"][turn % 10]["id"], f"{session}-{turn}"
            told = {"recommendation": answer["recommendation"], "item": item, "signals": {"click": 1}, "key": key}
            status, heard = self._post("/feedback", told)
            if status == 200:
                self._busy.told.append(Told(answer["recommendation"], item, key))
                clicked.append(item)
                self._busy.mixed += [entry["id"] for entry in heard["history"]] != clicked
            if len(self._busy.told) % EXPLAINED == 0:
                self._post("/explain", {"session": session, "item": item})

    def _post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = json.loads(response.read())
        self._busy.statuses[response.status] = self._busy.statuses.get(response.status, 0) + 1
        return response.status, content


def saturated(port: int, url: str, seconds: float, clients: int, memory: Callable[[], float], looks: int = 10) -> Iterator[str]:
    """The rows of a table over time. Nothing of it is a measurement of single requests: all cores are busy.

    url: of the server's store, which is checked at the end.   memory: of the server, in MiB.

    Raises
    ------
    SystemExit: a session had another one's history, a client could not go on, or feedback was lost or doubled.
    """
    busy, ended = Busy(), threading.Event()
    threads = [Client(number, port, busy, ended) for number in range(clients)]
    for thread in threads:
        thread.start()
    yield "| seconds | memory, MiB | requests/s | p50 of answers, ms | p99, ms |"
    yield "|---:|---:|---:|---:|---:|"
    begun, before = time.perf_counter(), 0
    for look in range(looks):
        ended.wait(max(0.0, begun + (look + 1) * seconds / looks - time.perf_counter()))
        now, total = time.perf_counter() - begun, sum(busy.statuses.values())
        taken, busy.seconds = busy.seconds, []
        ordered = sorted(taken) or [float("nan")]
        times = f"{1000 * statistics.median(ordered):.1f} | {1000 * ordered[int(0.99 * len(ordered))]:.1f}"
        yield f"| {now:.0f} | {memory():.0f} | {(total - before) / (seconds / looks):.0f} | {times} |"
        before = total
    ended.set()
    for thread in threads:
        thread.join(60)
    if busy.mixed or busy.failed:
        raise SystemExit(f"{busy.mixed} histories were another session's; {busy.failed[:3]}")
    yield ""
    yield f"Statuses: {dict(sorted(busy.statuses.items()))}. No session had the history of another one."
    yield check_store(url, busy.told, unanswered=sum(number for status, number in busy.statuses.items() if status != 200))


def check_store(url: str, acknowledged: Sequence[Told], unanswered: int) -> str:
    """Whether all that was acknowledged is in the store, once.   unanswered: requests that were refused, and may have been stored.

    Raises
    ------
    SystemExit: something is lost, or was counted twice.
    """
    with FeedbackStore.open(url) as store:
        stored = store.feedback_since(0)
        feedback = [RecordedFeedback(one.recommendation, one.item, {"click": 1.0}, 0.0, one.key) for one in acknowledged]
        lost = sum(outcome.stored for first in range(0, len(feedback), 500) for outcome in store.record([], feedback[first : first + 500]))
    # a request whose answer did not come may have been stored, too
    if lost or stored < len(acknowledged) or stored > len(acknowledged) + unanswered:
        raise SystemExit(f"{stored:,} reports are in the store; {lost} of {len(acknowledged):,} acknowledged reports of feedback are not")
    return f"All {len(acknowledged):,} acknowledged reports of feedback are in the store, which has {stored:,}."
