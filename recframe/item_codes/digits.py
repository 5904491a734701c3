"""Items' numbers as codes: digits that say nothing about the items, to compare with codes that do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def digit_levels(num_items: int, size: int) -> int:
    """The digits to the base `size` that are enough for twice as many items, so that there is room for new ones."""
    levels = 1
    while size**levels < 2 * num_items:
        levels += 1
    return levels


def digits(numbers: Tensor, size: int, levels: int) -> Tensor:
    """The codes `[n, levels]` int64 of the items with these `numbers` `[n]`, each below size^levels and with codes of its own.

    The numbers are first spread by a number prime to the space, i -> i * step mod size^levels: neighbours in a catalogue, which may be
    alike, then share no codes more often than others, and every code is used about equally often, however many items there are.
    """
    space = size**levels
    step = next(step for step in range(max(round(space * GOLDEN_RATIO), 1), 2 * space) if math.gcd(step, space) == 1)
    # step < size * 2M: the product has 64 bits for every catalogue that fits into memory
    spread = (numbers * (step % space)) % space
    places = torch.tensor([size**level for level in range(levels)][::-1], device=numbers.device)
    codes: Tensor = spread[:, None] // places % size
    return codes
