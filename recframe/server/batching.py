"""Requests that wait are worked on together, by a thread of its own, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

LONGEST_CLOSE = 30
"""Seconds to wait for the last batch: a database may never answer."""
log = logging.getLogger(__name__)


class QueueFull(Exception):
    """More requests wait than may."""


class Batcher(Generic[Asked, Answered]):
    """Collects what waits and works on it at once: nothing waits for others to come, and under load batches grow.

    Parameters
    ----------
    work: answers a batch, in its order; an answer that is an exception is raised for the one who asked. An exception that it raises is
        everybody's.
    size: the largest batch.   capacity: how many may wait.   name: of the thread.
    """

    def __init__(self, work: Callable[[Sequence[Asked]], Sequence[Answered | Exception]], size: int, capacity: int, name: str) -> None:
        self._work = work
        self._size = size
        self._capacity = capacity
        self._waiting: deque[tuple[Asked, asyncio.Future[Answered]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._waiting)

    def submit(self, asked: Asked) -> asyncio.Future[Answered]:
        """Its answer, in the future. Called in an event loop.

        Raises
        ------
        QueueFull: too many wait, or no more are taken.
        """
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed or len(self._waiting) >= self._capacity:
                raise QueueFull
            self._waiting.append((asked, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Take no more, and return when everything that waits is answered, or cannot be in time."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(LONGEST_CLOSE)

    def _run(self) -> None:
        while batch := self._next_batch():
            answers: Sequence[Answered | Exception]
            try:
                answers = self._work([asked for asked, _ in batch])
            except Exception as error:
                answers = [error] * len(batch)
            loop = batch[0][1].get_loop()
            try:
                loop.call_soon_threadsafe(_deliver, [future for _, future in batch], answers)
            except RuntimeError:
                log.debug("the event loop ended before %d answers", len(batch))
            # what was asked, such as a policy that is served no more, is not kept until somebody asks again
            del batch, answers

    def _next_batch(self) -> list[tuple[Asked, asyncio.Future[Answered]]]:
        """What waits, up to the size of a batch; empty: the end."""
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return []
                taken = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            # who no longer waits is not answered
            if batch := [one for one in taken if not one[1].done()]:
                return batch


def _deliver(futures: Sequence[asyncio.Future[Answered]], answers: Sequence[Answered | Exception]) -> None:
    for future, answer in zip(futures, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
