"""What the settings of a component need of memory, told before anything is allocated: `memory()` methods, and how they are called."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

FLOAT = 4
"""Bytes of a number in tensors and weights."""


class Sizes(NamedTuple):
    """The sizes of a run that its memory depends on. Those of data that is not read yet are 1, so that an estimate is never too large.

    items: in the catalogue (M).   texts: that are encoded, of all roles.   users: that a simulator has at once (N).
    history: shown items in an observation (H).   slate: items shown at once (K).
    """

    items: int = 1
    texts: int = 1
    users: int = 1
    history: int = 0
    slate: int = 1


class MemoryNeed(NamedTuple):
    """The least that something needs.

    settings: those on which it depends, as `key=value`, with "with" or "and" between them.   what: that is stored, such as "the weights".
    size: in bytes.
    """

    settings: str
    what: str
    size: int


def memory_needs(config: object, sizes: Sizes) -> list[MemoryNeed]:
    """What the settings of a component's config need.

    Each class that the config inherits from may have a method `memory(sizes)` that yields a `MemoryNeed` for each large thing that the
    component holds, at the least: a run that cannot have so much memory is refused.
    """
    own = [vars(cls).get("memory") for cls in reversed(type(config).__mro__)]
    # a setting may have that name, too
    return [need for needs in own if callable(needs) for need in needs(config, sizes)]


def layer_weights(setting: str, sizes: Sequence[int]) -> MemoryNeed:
    """The weights between fully connected layers of these sizes, without those from the inputs."""
    weights = sum(before * after for before, after in pairwise(sizes)) + sum(sizes)
    return MemoryNeed(f"{setting}=[{','.join(map(str, sizes))}]", "the weights between these layers", FLOAT * weights)
