"""What the copies of a module have in common."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Something that a module reads but neither trains nor saves, shared by its copies.

    Target networks are deep copies; a catalogue's text vectors must not be copied, nor written to every checkpoint.
    """

    def __init__(self, values: T) -> None:
        self.values = values

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared[T]:
        return self
