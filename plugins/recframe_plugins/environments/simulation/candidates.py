"""Candidate sets: a few items out of many for each user and step, at a cost that does not grow with the catalogue."""

from __future__ import annotations

import torch
from torch import Tensor

# up to so many candidates, comparing each draw with all earlier ones is quicker than sorting
SMALL = 32


def draw_candidates(num_users: int, num_items: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` (C) different item numbers for each user, `[N, C]` int64 in no meaningful order; every set of C is equally likely.

    Floyd's algorithm (Bentley and Floyd 1987, "A sample of brilliance", CACM 30:9) for all users at once. For j = 0..C-1 it draws
    t_j uniformly from 0..M-C+j, and takes t_j, or M-C+j if t_j was taken before. The cost is O(N C min(C, log C)), whatever M.
    """
    device = generator.device
    smallest = num_items - count
    position = torch.arange(count, device=device)
    # single precision has 2^24 numbers: too few to reach every item of a large catalogue alike
    precision = torch.float32 if num_items <= 2**14 else torch.float64
    uniform = torch.rand(count, num_users, generator=generator, device=device, dtype=precision)
    drawn = (uniform * (smallest + position + 1)[:, None]).long()
    # rounding may carry a product to its bound
    drawn = torch.minimum(drawn, (smallest + position)[:, None])
    return (_taken_in_turn(drawn, smallest) if count <= SMALL else _taken_at_once(drawn, smallest)).T.contiguous()


def _taken_in_turn(drawn: Tensor, smallest: int) -> Tensor:
    """What Floyd's algorithm takes `[C, N]` of the draws t `[C, N]`, one position after the other."""
    taken = drawn
    for position in range(1, len(drawn)):
        before = (taken[:position] == taken[position]).any(dim=0)
        taken[position].masked_fill_(before, smallest + position)
    return taken


def _taken_at_once(drawn: Tensor, smallest: int) -> Tensor:
    """The same for all positions together.

    t_j was taken before if an earlier draw was equal to it, or if t_j = M-C+i was what the earlier draw i took instead: such chains of i
    are followed by pointer doubling.
    """
    count = len(drawn)
    position = torch.arange(count, device=drawn.device)[:, None]
    values, order = drawn.sort(dim=0, stable=True)
    equal_to_previous = torch.zeros_like(drawn, dtype=torch.bool)
    equal_to_previous[1:] = values[1:] == values[:-1]
    taken = torch.zeros_like(equal_to_previous).scatter_(0, order, equal_to_previous)
    earlier = drawn - smallest
    pointer = torch.where((earlier >= 0) & (earlier < position), earlier, position)
    for _ in range((count - 1).bit_length()):
        taken = taken | taken.gather(0, pointer)
        pointer = pointer.gather(0, pointer)
    return torch.where(taken, smallest + position, drawn)
