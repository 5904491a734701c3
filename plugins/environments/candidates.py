"""Candidate sets: a few items out of many for each user and step, at a cost that does not grow with the catalogue."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_candidates(num_users: int, num_items: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` (C) different item numbers for each user, `[N, C]` int64 in no meaningful order; every set of C is equally likely.

    Floyd's algorithm (Bentley and Floyd 1987, "A sample of brilliance", CACM 30:9) for all users at once. For j = 0..C-1 it draws
    t_j uniformly from 0..M-C+j, and takes t_j, or M-C+j if t_j was taken before. That is so if an earlier draw was equal to t_j, or if
    t_j = M-C+i was what the earlier draw i took instead: such chains of i are followed by pointer doubling.
    The cost is O(N C log C), whatever M.
    """
    device = generator.device
    smallest = num_items - count
    position = torch.arange(count, device=device)
    # double precision: float32 does not reach every number of a catalogue of more than 2^24 items
    uniform = torch.rand(num_users, count, generator=generator, device=device, dtype=torch.float64)
    drawn = (uniform * (smallest + position + 1)).long()
    values, order = drawn.sort(dim=1, stable=True)
    equal_to_previous = torch.zeros_like(drawn, dtype=torch.bool)
    equal_to_previous[:, 1:] = values[:, 1:] == values[:, :-1]
    taken = torch.zeros_like(equal_to_previous).scatter_(1, order, equal_to_previous)
    earlier = drawn - smallest
    pointer = torch.where((earlier >= 0) & (earlier < position), earlier, position)
    for _ in range((count - 1).bit_length()):
        taken = taken | taken.gather(1, pointer)
        pointer = pointer.gather(1, pointer)
    return torch.where(taken, smallest + position, drawn)
