"""Priorities of remembered transitions: proportional prioritized experience replay (Schaul et al., 2016, arXiv:1511.05952)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

SMALLEST = 1e-6
"""Added to every priority (the paper's epsilon): what seems learned is seen again now and then."""

BLOCK = 256
"""Rows whose priorities are summed up before the sums are searched."""


class Draw(NamedTuple):
    """Rows `[B]` int64 of the memory, and the importance weights `[B]` float32 of what lies there."""

    rows: Tensor
    weights: Tensor


class Priorities:
    """One priority a row, and draws in proportion to them, P(i) = p_i^alpha / sum_k p_k^alpha.

    A draw finds the block of rows in which a share of the total lies, then the row in it: the paper's tree of sums, of two levels and
    so of few, large tensor operations, whose sums are formed anew at each draw and so cannot drift.

    Parameters
    ----------
    exponent: alpha.
    """

    def __init__(self, capacity: int, exponent: float, device: torch.device | str) -> None:
        self.exponent = exponent
        # p^alpha, which is all that is ever asked for; zero where nothing was written yet
        self._scaled = torch.zeros(math.ceil(capacity / BLOCK) * BLOCK, device=device)
        self._largest = torch.ones((), device=device)

    def welcome(self, start: int, end: int) -> None:
        """Give the rows from `start` to before `end`, just written, the largest priority so far: what is new is soon seen once."""
        self._scaled[start:end] = self._largest

    def draw(self, count: int, size: int, importance_exponent: float, generator: torch.Generator) -> Draw:
        """`count` of the first `size` rows, one from each of as many equal shares of the total (the paper's appendix B.2.1).

        The weights are (size P(i))^-beta, beta being the `importance_exponent`, divided by the largest of the batch (section 3.4).
        """
        blocks = self._scaled.view(-1, BLOCK)
        # in single precision a million summands would blur where one row ends and the next begins
        sums = blocks.sum(dim=1, dtype=torch.float64)
        ends = sums.cumsum(dim=0)
        luck = torch.rand(count, generator=generator, device=sums.device, dtype=torch.float64)
        shares = (luck + torch.arange(count, device=sums.device)) / count * ends[-1]
        # rounding may make a share the whole total, or a block's, beyond which there is no row
        block = torch.searchsorted(ends, shares, right=True).clamp(max=(size - 1) // BLOCK)
        within = (shares - ends[block] + sums[block]).unsqueeze(1)
        row = torch.searchsorted(blocks[block].cumsum(dim=1, dtype=torch.float64), within, right=True).clamp(max=BLOCK - 1)
        rows = (block * BLOCK + row.squeeze(1)).clamp(max=size - 1)
        weights = (size * self._scaled[rows] / ends[-1]) ** -importance_exponent
        return Draw(rows, (weights / weights.max()).float())

    def update(self, rows: Tensor, priorities: Tensor) -> None:
        """Set the priorities `[B]` of `rows` `[B]`; a row drawn twice gets the larger."""
        scaled = (priorities.float() + SMALLEST) ** self.exponent
        self._scaled.scatter_reduce_(0, rows, scaled, "amax", include_self=False)
        self._largest = torch.maximum(self._largest, scaled.max())

    def state_dict(self, size: int) -> dict[str, Any]:
        """The priorities of the first `size` rows, and the largest so far."""
        return {"scaled": self._scaled[:size].clone(), "largest": self._largest.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up saved priorities."""
        self._scaled[: len(state["scaled"])] = state["scaled"].to(self._scaled.device)
        self._largest = state["largest"].to(self._scaled.device)
