"""Datasets: where items, users and logs come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from recframe.interfaces.data import Data


class Dataset(ABC):
    """A source of items, users and logged interactions.

    Implement:

    - `load()`: a `Data` with at least a catalogue; it raises `DataError` where the data cannot be used.

    Built as `factory(config)`.

    Two loads of the same config give the same data, whatever the run's seed. A generated dataset has its own option `seed`, so that runs
    with several seeds are compared on the same data.
    """

    @abstractmethod
    def load(self) -> Data:
        """Load everything.

        Raises
        ------
        DataError: naming the file and line where the data cannot be used.
        """
