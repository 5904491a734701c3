"""What the items of a log are to the rules that learn from it: training cannot show the others, and must not teach against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recframe.interfaces import PAD, Log, Observation, Transition, random_items


@dataclass(frozen=True)
class LoggedItems:
    """Items that a log's batches can hold.

    An item that does not occur in it is neither taken nor left in any of them. A rule that let it be written, or that put it among the
    items that were not taken, would make it less probable, whatever its codes say of it.

    among: `[M]` bool, which items occur; None: all, or the log is not known.   repeats: whether one can occur in a sequence again.
    rewards: what items in the place of logged ones are worth (`Log.item_rewards`); None: that is known of the logged ones alone.
    """

    among: Tensor | None = None
    repeats: bool = True
    rewards: Callable[[Transition, Tensor], Tensor] | None = None

    @classmethod
    def of(cls, log: Log) -> LoggedItems:
        """Those of a log."""
        among = torch.zeros(log.num_items, dtype=torch.bool, device=log.items.device)
        among[log.items] = True
        repeats = len((log.sequence * log.num_items + log.items).unique()) < len(log)
        return cls(None if bool(among.all()) else among, repeats, log.item_rewards)

    def draw(self, observation: Observation, num_items: int, k: int, generator: torch.Generator) -> Tensor:
        """Up to k different items of these for each user, uniformly at random, `[N, n]`; where there are too few, others or `PAD`."""
        if self.among is None:
            return random_items(observation, num_items, k, generator)
        items = self.among.nonzero().squeeze(1)
        number = torch.full_like(self.among, PAD, dtype=torch.int64)
        number[items] = torch.arange(len(items), device=items.device)
        renumbered: Observation = observation.clone(recurse=False)
        for name in ("candidates", "excluded"):
            if (given := getattr(observation, name)) is not None:
                setattr(renumbered, name, number[given.clamp(min=0)].masked_fill(given == PAD, PAD))
        places = 1 if observation.candidates is None else observation.candidates.shape[1]
        drawn = random_items(renumbered, len(items), min(k, len(items) if observation.candidates is None else places), generator)
        return items[drawn.clamp(min=0)].masked_fill(drawn == PAD, PAD)
