"""Logged interactions as tensors: the whole log, and batches of sequences of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch
from tensordict import TensorClass
from torch import Tensor

from recframe.interfaces.logged_choices import LoggedChoices
from recframe.interfaces.types import Transition


@dataclass(frozen=True)
class Log:
    """R logged interactions in S sequences (of a user, or of a session), each in order of time, on one device.

    users: `[R]` int64, rows of `Data.users`.   items: `[R]` int64, rows of the catalogue.   timestamps: `[R]` int64, unix seconds.
    signals: the F names of the feedback.   feedback: `[R, F]` float32, what the user did with the item; 0 where it is not known.
    offsets: `[S + 1]` int64: the rows of sequence s are `offsets[s]` to before `offsets[s + 1]`.
    num_items: M.   num_users: P.
    rewards: `[R]` float32, the run's reward of each interaction, or None until it is computed.
    propensities: `[R]` float32, the probability with which the item was shown, or None: not logged.
    features: `[R, X]` float32, raw numbers known before the interaction, or None.
    choices: what could have been shown in each row; None: every item.
    item_rewards: from B transitions of the log, of one step, and items `[B, G]` to the run's reward of each item in the place of the logged
        one, `[B, G]` float32. What people would have done with an item that was not shown is not known, and counts as 0 (see
        `Reward.reads_response`). None: the rewards are not computed, or all of them are of what people did: then only the logged item has
        a reward other than 0, that of the transition.
    """

    users: Tensor
    items: Tensor
    timestamps: Tensor
    signals: tuple[str, ...]
    feedback: Tensor
    offsets: Tensor
    num_items: int
    num_users: int
    rewards: Tensor | None = None
    propensities: Tensor | None = None
    features: Tensor | None = None
    choices: LoggedChoices | None = None
    item_rewards: Callable[[Transition, Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def num_sequences(self) -> int:
        """S."""
        return len(self.offsets) - 1

    @cached_property
    def clicked(self) -> Tensor:
        """Which rows are clicks, `[R]` bool: the items that people took."""
        return self.feedback[:, self.signals.index("click")] > 0

    @cached_property
    def sequence(self) -> Tensor:
        """The sequence of each row, `[R]` int64."""
        lengths = self.offsets.diff()
        return torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)

    @cached_property
    def starts(self) -> Tensor:
        """The first row of each row's sequence, `[R]` int64."""
        return torch.repeat_interleave(self.offsets[:-1], self.offsets.diff())

    @cached_property
    def last(self) -> Tensor:
        """Whether each row is the last of its sequence, `[R]` bool."""
        last = torch.zeros(len(self), dtype=torch.bool, device=self.items.device)
        last[self.offsets[1:] - 1] = True
        return last

    def to(self, device: torch.device | str) -> Log:
        """The same log with every tensor on `device`."""
        moved: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved |= {name: value.to(device) for name, value in moved.items() if isinstance(value, (Tensor, LoggedChoices))}
        return Log(**moved)


class SequenceBatch(TensorClass):
    """B sequences of up to L + 1 logged interactions, in order of time, padded with `PAD` in front. Batch size `[B]`.

    A model that reads places 0 to t predicts place t + 1, so there are L predictions; `item[:, 1:] != PAD` and `item[:, :-1] != PAD`
    say which of them exist.

    user: `[B]` int64, rows of `Data.users`.   item: `[B, L + 1]` int64, rows of the catalogue.
    feedback: `[B, L + 1, F]` float32, in the order of `EnvironmentSpec.signals`.
    reward: `[B, L + 1]` float32, the run's reward of each interaction; 0 at `PAD`.   timestamps: `[B, L + 1]` int64; 0 at `PAD`.
    terminated: `[B]` bool, whether the last place is the end of the sequence.
    clicked: `[B, L + 1]` bool, whether each interaction is a click: others were shown and not taken, and are not to be predicted. None: all
        are.
    earlier: `[B, E]` int64, the items of each sequence before these places, filled up with `PAD` in front: neither an item of a place, nor
        one from before it, may be recommended after it. None: they may be, or the plan does not ask (`Sequences.with_choices`).
    """

    user: Tensor
    item: Tensor
    feedback: Tensor
    reward: Tensor
    timestamps: Tensor
    terminated: Tensor
    clicked: Tensor | None = None
    earlier: Tensor | None = None
