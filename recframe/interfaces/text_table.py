"""Text vectors as networks read them: standardized once, shared by copies, and replaceable while a language model is tuned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recframe.interfaces.scaling import standardization
from recframe.interfaces.shared import Shared


class _Contents(NamedTuple):
    """source: the vectors `[n, D]` as the data has them.   values: the standardized vectors that are read."""

    source: Tensor
    centre: Tensor
    scale: Tensor
    values: Tensor


class TextTable(nn.Module):
    """Standardized text vectors `[n, D]` that a network reads through `values`; not trained or saved with it, and shared by its copies.

    While the language model behind them is tuned (`encoder.tuning`), the training module asks for the gradient of what the network of this
    table read, separately from what copies read, and replaces the vectors of all copies in place. A network whose texts can be tuned reads
    them through such a table, made of the data's own tensor (`data.catalog.text_vectors` and the like): the tensor identifies
    the texts. Centre and scale stay those of the first vectors, so that the vector of a text that does not change stays the same.
    """

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        centre, scale = standardization(vectors)
        self._shared = Shared(_Contents(vectors, centre, scale, (vectors - centre) / scale))
        self._watched: Tensor | None = None

    @property
    def values(self) -> Tensor:
        """The current vectors `[n, D]`."""
        return self._shared.values.values if self._watched is None else self._watched

    @property
    def source(self) -> Tensor:
        """The data's tensor that the table was made of."""
        return self._shared.values.source

    @property
    def shared_id(self) -> int:
        """A number that is the same for tables that are copies of each other, and different for all others."""
        return id(self._shared)

    def replace(self, vectors: Tensor) -> None:
        """Let this table, and every copy of it, read other vectors `[n, D]` of the same texts."""
        contents = self._shared.values
        contents.values.copy_((vectors - contents.centre) / contents.scale)

    @contextmanager
    def appended(self, vectors: Tensor) -> Iterator[None]:
        """Let this table, and every copy of it, have rows for n further texts after its own within the block, with the vectors `[n, D]`.

        For texts that were not there in training, such as what a new person says.
        """
        before = self._shared.values
        new = ((vectors - before.centre) / before.scale).to(before.values)
        self._shared.values = before._replace(values=torch.cat([before.values, new]))
        try:
            yield
        finally:
            self._shared.values = before

    def watch(self, watching: bool) -> None:
        """Start or stop collecting the gradient of losses by the vectors that are read here."""
        self._watched = self._shared.values.values.detach().requires_grad_() if watching else None

    def take_gradient(self) -> Tensor | None:
        """The gradient `[n, D]` of losses since the last call, by the vectors that `replace` takes; None if there is none."""
        if self._watched is None or self._watched.grad is None:
            return None
        gradient, self._watched.grad = self._watched.grad, None
        return gradient / self._shared.values.scale


def tables_of(network: nn.Module, vectors: Tensor | None) -> list[TextTable]:
    """The tables from which a network reads the texts that the data has these vectors of, one for each set of copies."""
    tables = [module for module in network.modules() if isinstance(module, TextTable) and module.source is vectors]
    return list({table.shared_id: table for table in tables}.values())
