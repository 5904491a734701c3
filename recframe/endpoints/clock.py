"""Time and random numbers of whoever waits for a model's endpoint. Imports no HTTP client."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Time and random numbers, which a test can replace.

    monotonic: seconds that never decrease.   sleep: waits.   uniform: a random number in [0, 1).
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    # a generator of its own: a run's generators must not be used, and processes that were refused together must not return together
    uniform: Callable[[], float] = random.Random().random  # noqa: S311
