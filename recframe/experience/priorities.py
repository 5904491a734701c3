"""Priorities of stored transitions, for proportional prioritized experience replay (Schaul et al., 2016, arXiv:1511.05952)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

SMALLEST = 1e-6
"""Added to every priority (epsilon in the paper), so that no transition has probability zero."""

BLOCK = 256
"""Rows in a block; a draw first searches the sums of the blocks."""


class Draw(NamedTuple):
    """Rows `[B]` int64 of the replay memory, and their importance weights `[B]` float32."""

    rows: Tensor
    weights: Tensor


class Priorities:
    """One priority for each row, and draws with probabilities P(i) = p_i^alpha / sum_k p_k^alpha.

    A draw finds the block of rows that contains a share of the total, then the row in the block. This is the paper's sum tree with two
    levels, which needs few, large tensor operations. The sum of a block is computed anew when one of its rows changes, so rounding errors
    do not accumulate, and a draw does not read all rows.

    Parameters
    ----------
    exponent: alpha.
    """

    def __init__(self, capacity: int, exponent: float, device: torch.device | str) -> None:
        self.exponent = exponent
        # p^alpha, which is all that is needed; zero for rows that are not written yet
        self._scaled = torch.zeros(math.ceil(capacity / BLOCK) * BLOCK, device=device)
        # single precision could not tell neighbouring rows apart among a million summands
        self._sums = torch.zeros(len(self._scaled) // BLOCK, dtype=torch.float64, device=device)
        self._largest = torch.ones((), device=device)

    def set_largest(self, start: int, end: int) -> None:
        """Give the new rows `start` to `end - 1` the largest priority so far, so that they are likely to be drawn soon."""
        self._scaled[start:end] = self._largest
        self._sum_blocks(torch.arange(start // BLOCK, math.ceil(end / BLOCK), device=self._scaled.device))

    def _sum_blocks(self, blocks: Tensor) -> None:
        """Compute the sums of these `blocks` `[b]` anew; a block may occur several times."""
        self._sums[blocks] = self._scaled.view(-1, BLOCK)[blocks].sum(dim=1, dtype=torch.float64)

    def draw(self, num_rows: int, size: int, importance_exponent: float, generator: torch.Generator) -> Draw:
        """`num_rows` of the first `size` rows, one from each of `num_rows` equal shares of the total (appendix B.2.1 of the paper).

        The weights are (size P(i))^-beta, where beta is the `importance_exponent`, divided by the largest in the batch (section 3.4).
        """
        blocks = self._scaled.view(-1, BLOCK)
        sums = self._sums
        ends = sums.cumsum(dim=0)
        noise = torch.rand(num_rows, generator=generator, device=sums.device, dtype=torch.float64)
        shares = (noise + torch.arange(num_rows, device=sums.device)) / num_rows * ends[-1]
        # rounding may make a share equal to the total, or to that of a block; no row lies beyond it
        block = torch.searchsorted(ends, shares, right=True).clamp(max=(size - 1) // BLOCK)
        within = (shares - ends[block] + sums[block]).unsqueeze(1)
        row = torch.searchsorted(blocks[block].cumsum(dim=1, dtype=torch.float64), within, right=True).clamp(max=BLOCK - 1)
        rows = (block * BLOCK + row.squeeze(1)).clamp(max=size - 1)
        weights = (size * self._scaled[rows] / ends[-1]) ** -importance_exponent
        return Draw(rows, (weights / weights.max()).float())

    def update(self, rows: Tensor, priorities: Tensor) -> None:
        """Set the priorities `[B]` of `rows` `[B]`; a row that was drawn twice gets the larger one."""
        scaled = (priorities.float() + SMALLEST) ** self.exponent
        self._scaled.scatter_reduce_(0, rows, scaled, "amax", include_self=False)
        self._sum_blocks(rows // BLOCK)
        self._largest = torch.maximum(self._largest, scaled.max())

    def state_dict(self, size: int) -> dict[str, Any]:
        """The priorities of the first `size` rows, and the largest priority so far."""
        return {"scaled": self._scaled[:size].clone(), "largest": self._largest.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore saved priorities."""
        self._scaled[: len(state["scaled"])] = state["scaled"].to(self._scaled.device)
        self._sum_blocks(torch.arange(len(self._sums), device=self._scaled.device))
        self._largest = state["largest"].to(self._scaled.device)
