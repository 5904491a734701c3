"""A split in numbers, for the files that record a run."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from recframe.logs.held_out import HeldOut
from recframe.logs.parts import DUPLICATE, TEST, VALIDATION

if TYPE_CHECKING:
    from recframe.logs.split import SplitLog


def summary_of(split: SplitLog) -> dict[str, Any]:
    """Settings and counts, of types that JSON has.

    - `settings`: those of the split.   `moments`: by part, the date and time (UTC) from which on it was held out; empty if not by time.
    - `duplicates`: interactions that were left out because they repeat another one (`recframe.logs.split_log`).
    - `train`: `interactions`, and the `users` and `items` that occur in them.
    - `validation`, `test`: the held-out `interactions`; `queries`, and the `users` they are about; `targets`, of all queries;
      `cold_users` and `cold_items`, those among them (and among the targets) that do not occur in train; `repeated_targets`, which the user
      has met before.
    """
    frame = split.train.frame
    log = split.test.log
    users = np.zeros(log.num_users, dtype=bool)
    items = np.zeros(log.num_items, dtype=bool)
    users[frame["user"].to_numpy()] = True
    items[frame["item"].to_numpy()] = True
    return {
        "settings": asdict(split.settings),
        "moments": {name: datetime.fromtimestamp(seconds, UTC).isoformat() for name, seconds in split.moments.items()},
        "duplicates": int((split.part == DUPLICATE).sum()),
        "train": {"interactions": len(split.train), "users": int(users.sum()), "items": int(items.sum())},
        "validation": _held_out(split.validation, int((split.part == VALIDATION).sum()), users, items),
        "test": _held_out(split.test, int((split.part == TEST).sum()), users, items),
    }


def _held_out(held_out: HeldOut, interactions: int, users: np.ndarray, items: np.ndarray) -> dict[str, int]:
    """The numbers of a held-out part; `users` `[P]` and `items` `[M]` say which occur in train."""
    people, targets = np.unique(held_out.users.numpy()), np.unique(held_out.targets.numpy())
    return {
        "interactions": interactions,
        "queries": len(held_out),
        "users": len(people),
        "targets": len(held_out.targets),
        "cold_users": int((~users[people]).sum()),
        "cold_items": int((~items[targets]).sum()),
        "repeated_targets": int(held_out.repeated_targets().sum()),
    }
