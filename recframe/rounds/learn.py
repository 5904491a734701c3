"""`recframe learn`: rounds beside a server, until they are enough or the process is stopped."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from recframe.errors import Stop, UserError
from recframe.feedback.errors import StoreUnavailable
from recframe.feedback.opened import open_existing
from recframe.feedback.store import FeedbackStore
from recframe.rounds.round import Rounds, Train, train_run
from recframe.rounds.served_folder import ServedFolder
from recframe.rounds.settings import LearnSettings
from recframe.signals import stop_signals_handled

log = logging.getLogger(__name__)

LOCK = "learn.lock"


def learn_in_rounds(settings: LearnSettings, train: Train = train_run) -> list[Mapping[str, Any]]:
    """Make rounds: wait for feedback, train on, judge, and serve the new policy or keep it aside. Returns their records.

    Raises
    ------
    Stop: the process was asked to stop; a round that was going on is done again next time.
    UserError: the store, the folder or the settings of the rounds cannot be used, the policy runs code that is not allowed, or another
        process learns beside it.
    """
    home = settings.place
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{home}: another process learns for {settings.folder}; stop it first, or choose another folder") from None
    try:
        with open_existing(settings.url) as store, stop_signals_handled(_stop):
            served = ServedFolder(settings.folder, home)
            rounds = Rounds(settings, store, served, train)
            served.prepare()
            rounds.finish_what_was_begun()
            rounds.require_possible()
            rounds.remove_old()
            return list(_rounds(rounds, store, settings))
    finally:
        lock.release()


def _rounds(rounds: Rounds, store: FeedbackStore, settings: LearnSettings) -> list[Mapping[str, Any]]:
    made: list[Mapping[str, Any]] = []
    while settings.rounds is None or len(made) < settings.rounds:
        wait_for_feedback(rounds, store, settings)
        made.append(rounds.run())
        rounds.remove_old()
    return made


def wait_for_feedback(rounds: Rounds, store: FeedbackStore, settings: LearnSettings) -> None:
    """Wait until there is enough feedback about recommendations that are new and settled, or for as long as the settings say.

    While the database does not answer, there is none.
    """
    began, since, said = time.monotonic(), rounds.waits_since, False
    never = threading.Event()
    while True:
        try:
            # feedback about younger ones may still come, and they judge no policy yet
            new = store.feedback_about(since, time.time() - settings.settle)
        except StoreUnavailable:
            # the store tells the log that it is away, once, and when it is back
            never.wait(settings.poll)
            continue
        if new >= settings.feedback:
            return
        if settings.every is not None and new and time.monotonic() - began >= settings.every:
            return
        if not said:
            about = f" about recommendations that are {settings.settle:g} seconds old" if settings.settle else ""
            log.info("waiting for %d new feedback%s (%d so far)", settings.feedback, about, new)
            said = True
        never.wait(settings.poll)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop(f"stopped by {signal.Signals(number).name}; a round that was going on is done again next time", 128 + number)
