"""The signals by which a system asks a process to stop, and handlers for them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
"""SIGTERM, Ctrl-C, the end of the terminal (SIGHUP), and the warning that batch systems send before a time limit (SIGUSR1)."""


IMPATIENT = frozenset({signal.SIGTERM, signal.SIGINT})
"""Signals that, sent again, mean that a process is to end at once. The end of a terminal may send SIGHUP twice by itself."""

_received: list[int] = []


def any_received() -> bool:
    """Whether this process has received a stop signal that it handles."""
    return bool(_received)


def forget_received() -> None:
    """Let `any_received` be about what is received from now on."""
    _received.clear()


def handle_stop_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call `handler` for every stop signal, except for those that the process was started to ignore, as `nohup` does for SIGHUP.

    Only the main thread can set handlers; in any other thread nothing happens.
    """

    def receive(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        handler(number, frame)

    if threading.current_thread() is threading.main_thread():
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, receive)


@contextmanager
def stop_signals_handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """`handle_stop_signals` within the block; afterwards the handlers are those from before."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    handle_stop_signals(handler)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, previous in before.items():
                # None: a handler that was not set from Python, and cannot be set again
                if previous is not None:
                    signal.signal(number, previous)
