"""Batches of a log's sequences, drawn in random order: one window of each sequence in a pass over the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.interfaces import PAD, Log, SequenceBatch, Sequences, restore_generator
from recframe.logs.allowed import items_between
from recframe.logs.windows import signals_of, windows


class SequenceSampler:
    """Draws the `SequenceBatch`es that a plan asks for.

    A pass meets each sequence of two interactions or more once, in random order; the next pass has another order. Of a sequence longer
    than `length` + 1, a window of that many is drawn uniformly. Batches are as wide as their longest window, and the last one of a pass
    may hold fewer sequences.

    Parameters
    ----------
    generator: on the log's device; all random numbers are drawn from it.
    signals: the names in `SequenceBatch.feedback`, in order; None: the log's. A signal that the log lacks is 0.
    exclude_seen: whether what was met before may not be recommended; batches say it if the plan asks (`SequenceBatch.earlier`).

    Raises
    ------
    ValueError: no sequence has two interactions.
    """

    def __init__(
        self, log: Log, plan: Sequences, generator: torch.Generator, signals: Sequence[str] | None = None, exclude_seen: bool = False
    ) -> None:
        self.log = log
        self.says_earlier = plan.with_choices and exclude_seen
        self.plan = plan
        self.generator = generator
        self.signals = tuple(signals) if signals is not None else log.signals
        self._sequences = (log.offsets.diff() > 1).nonzero().squeeze(1)
        if not len(self._sequences):
            raise ValueError("no sequence of the log has two interactions, so that there is no next item to learn; join its sessions")
        self._order = self._sequences[:0]

    @property
    def batches_per_pass(self) -> int:
        """The number of batches in a pass over the log."""
        return -(-len(self._sequences) // self.plan.batch_size)

    def draw(self) -> SequenceBatch:
        """The next batch of the pass, or the first one of a new pass."""
        if not len(self._order):
            draws = torch.randperm(len(self._sequences), generator=self.generator, device=self.generator.device)
            self._order = self._sequences[draws]
        chosen, self._order = self._order[: self.plan.batch_size], self._order[self.plan.batch_size :]
        return self._batch(chosen)

    def _batch(self, sequences: Tensor) -> SequenceBatch:
        """A window of each of the `sequences` `[B]`."""
        log, device = self.log, self.log.items.device
        starts, ends = log.offsets[sequences], log.offsets[sequences + 1]
        # a window may end at any place from which on it is full
        room = (ends - starts - self.plan.length - 1).clamp(min=0)
        draws = torch.rand(len(sequences), generator=self.generator, device=device, dtype=torch.float64)
        stops = ends - (draws * (room + 1)).long()
        width = int((stops - starts).max().clamp(max=self.plan.length + 1))
        rows, known = windows(starts, stops, width)
        rewards = torch.zeros(rows.shape, device=device) if log.rewards is None else log.rewards[rows] * known
        return SequenceBatch(
            user=log.users[starts],
            item=torch.where(known, log.items[rows], PAD),
            feedback=signals_of(log, rows, self.signals) * known.unsqueeze(2),
            reward=rewards,
            timestamps=torch.where(known, log.timestamps[rows], 0),
            terminated=stops == ends,
            clicked=log.clicked[rows] & known,
            earlier=items_between(log, starts, (stops - width).clamp(min=starts)) if self.says_earlier else None,
            batch_size=[len(sequences)],
        )

    def state_dict(self) -> dict[str, Any]:
        """The generator's state, and the sequences left of this pass."""
        return {"generator": self.generator.get_state(), "order": self._order}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        restore_generator(self.generator, state["generator"])
        self._order = state["order"].to(self._sequences.device)
