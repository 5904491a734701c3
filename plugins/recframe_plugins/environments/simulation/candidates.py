"""Random candidate sets: a few items for each user and step, at a cost that does not grow with the size of the catalogue."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import own_draws

# up to this many candidates, comparing each draw with all earlier ones is faster than sorting
SMALL = 32


def draw_candidates(num_users: int, num_items: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw `count` (C) different item numbers for each user, `[N, C]` int64 in no meaningful order; all sets of C are equally likely.

    Floyd's algorithm (Bentley and Floyd 1987, "A sample of brilliance", CACM 30:9) for all users at once. For j = 0..C-1 it draws
    t_j uniformly from 0..M-C+j, and takes t_j, or M-C+j if t_j was taken before. The cost is O(N C min(C, log C)), independent of M.
    """
    device = generator.device
    # single precision has 2^24 numbers: too few to make all items of a large catalogue equally likely
    precision = torch.float32 if num_items <= 2**14 else torch.float64
    uniform = own_draws(lambda users: torch.rand(count, users, generator=generator, device=device, dtype=precision), num_users, dim=1)
    return chosen_candidates(uniform, num_items)


def chosen_candidates(uniform: Tensor, num_items: int) -> Tensor:
    """The candidates `[N, C]` that uniform numbers `[C, N]` decide; see `draw_candidates`."""
    count = len(uniform)
    smallest = num_items - count
    position = torch.arange(count, device=uniform.device)
    drawn = (uniform * (smallest + position + 1)[:, None]).long()
    # rounding can raise a product to its upper bound
    drawn = torch.minimum(drawn, (smallest + position)[:, None])
    return (_taken_in_turn(drawn, smallest) if count <= SMALL else _taken_at_once(drawn, smallest)).T.contiguous()


def _taken_in_turn(drawn: Tensor, smallest: int) -> Tensor:
    """The numbers `[C, N]` that Floyd's algorithm takes for the draws t `[C, N]`, one position after the other."""
    taken = drawn
    for position in range(1, len(drawn)):
        before = (taken[:position] == taken[position]).any(dim=0)
        taken[position].masked_fill_(before, smallest + position)
    return taken


def _taken_at_once(drawn: Tensor, smallest: int) -> Tensor:
    """The same, for all positions at once.

    t_j was taken before if an earlier draw was equal to it, or if t_j = M-C+i was taken in place of the earlier draw i. Pointer doubling
    follows such chains of i.
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
