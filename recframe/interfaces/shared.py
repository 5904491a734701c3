"""Values that the copies of a module share."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from torch import Tensor

T = TypeVar("T")


class Shared(Generic[T]):
    """A value that a module reads but neither trains nor saves, shared by the module's copies.

    Target networks are deep copies: a catalogue's text vectors must not be copied with them, nor written to every checkpoint.
    """

    def __init__(self, values: T) -> None:
        self.values = values

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared[T]:
        return self


class FrozenTable(Shared[Tensor]):
    """A tensor that a module reads but neither trains nor saves, shared by the module's copies."""
