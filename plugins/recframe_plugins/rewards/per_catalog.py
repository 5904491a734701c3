"""A cache for tables that a reward computes once per catalogue and looks up in every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from recframe.interfaces import Catalog

T = TypeVar("T")


class PerCatalog(Generic[T]):
    """Caches `prepare(catalog)` for the last catalogue.

    Catalogues are never changed in place, so the object's identity is the key.
    """

    def __init__(self, prepare: Callable[[Catalog], T]) -> None:
        self._prepare = prepare
        self._held: tuple[Catalog, T] | None = None

    def __call__(self, catalog: Catalog) -> T:
        """The prepared value of the catalogue."""
        if self._held is None or self._held[0] is not catalog:
            self._held = (catalog, self._prepare(catalog))
        return self._held[1]
