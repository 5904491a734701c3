"""Lists of ids that requests brought are removed from the store once no recent decision needs them."""

from __future__ import annotations

import logging
import threading
import time

from recframe.feedback import StoreError
from recframe.feedback.store import FeedbackStore

log = logging.getLogger(__name__)

DAY = 86_400.0
FIRST_SECONDS, EVERY_SECONDS = 60.0, 3_600.0
"""After how long lists are removed for the first time, and how often from then on."""


class ListRemover:
    """Removes old lists of a store in a thread of its own, every hour.

    days: for which a list is kept after the last decision that had it.
    """

    def __init__(self, store: FeedbackStore, days: float) -> None:
        self._store = store
        self._days = days
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recframe-lists", daemon=True)

    def start(self) -> None:
        """Begin to remove lists."""
        self._thread.start()

    def close(self) -> None:
        """Remove no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._ended.wait(wait):
            self.remove()
            wait = EVERY_SECONDS

    def remove(self) -> None:
        """Remove what is old now, unless the store is away."""
        try:
            removed = self._store.remove_lists(time.time() - DAY * self._days, lambda: not self._ended.is_set())
        except StoreError as error:
            log.info("old lists of ids are removed later: %s", error)
            return
        if removed:
            log.info("%d lists of ids that no decision of the last %g days had are removed", removed, self._days)
