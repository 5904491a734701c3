"""A log that a generator makes for a task: people's sequences of items, in which the next one can be foretold in part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recframe.tracking import atomic_write

FOLLOWERS = 3
"""Items to which an item leads."""
LEAD, TASTE = 0.6, 0.3
"""The probabilities that the next item is one to which the last one leads, or one of a group that the person likes; else it is any item."""
LIKED = 2
"""Groups that a person likes."""


def write_log(path: Path, *, people: int, items: int, groups: int, length: int, seed: int) -> None:
    """Write a file for the dataset `sequences`: a line for each person, with `length` items in order.

    The numbers come from a generator whose sequence NumPy keeps (`RandomState`), so that the file is the same on every machine.
    """
    random = np.random.RandomState(seed)
    leads_to = random.randint(items, size=(items, FOLLOWERS))
    lines = []
    for person in range(people):
        liked = random.randint(groups, size=LIKED)
        sequence = [int(random.randint(items))]
        for _ in range(length - 1):
            draw, which, any_item = random.random_sample(), random.randint(FOLLOWERS * LIKED), int(random.randint(items))
            if draw < LEAD:
                any_item = int(leads_to[sequence[-1], which % FOLLOWERS])
            elif draw < LEAD + TASTE:
                # item i is of group i modulo their number
                any_item = min(any_item - any_item % groups + int(liked[which % LIKED]), items - 1)
            sequence.append(any_item)
        lines.append(" ".join([f"p{person}", *(f"i{item}" for item in sequence)]))
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, "\n".join(lines) + "\n")
