"""Lists of ids that requests brought are removed from the store once no recent decision needs them."""

from __future__ import annotations

import logging
import threading
import time

from recframe.feedback import StoreError
from recframe.feedback.list_ages import DAY
from recframe.feedback.store import FeedbackStore

log = logging.getLogger(__name__)

FIRST_SECONDS, EVERY_SECONDS = 60.0, 3_600.0
"""After how long lists are removed for the first time, and how often from then on."""
PAUSE_SECONDS = 0.5
"""Between two parts, in which others can write: the first removal of a store may have very many."""
CLOSE_SECONDS = 5.0
"""How long the end of a server waits for a part. Ended in its midst, its transaction removes nothing."""


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
        """Begin to remove lists, after a minute."""
        log.info(
            "in a minute, and every hour from then on, lists of ids that no decision of the last %g days had are removed; "
            "feedback.list_days=null keeps them",
            self._days,
        )
        self._thread.start()

    def close(self) -> None:
        """Remove no more."""
        self._ended.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._ended.wait(wait):
            self.remove()
            wait = EVERY_SECONDS

    def _goes_on(self) -> bool:
        return not self._ended.wait(PAUSE_SECONDS)

    def remove(self) -> None:
        """Remove what is old now, unless the store is away."""
        try:
            removed = self._store.remove_lists(time.time() - DAY * self._days, self._goes_on)
        except StoreError as error:
            log.info("old lists of ids are removed later: %s", error)
            return
        if removed:
            log.info("%d lists of ids that no decision of the last %g days had are removed", removed, self._days)
