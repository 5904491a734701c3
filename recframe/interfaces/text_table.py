"""Text vectors as networks read them: standardized once, shared by copies, and able to follow a language model that is tuned."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from recframe.interfaces.scaling import standardization
from recframe.interfaces.shared import Shared


class _Contents(NamedTuple):
    """source: the vectors `[n, D]` as the data have them.   values: those that are read, standardized."""

    source: Tensor
    centre: Tensor
    scale: Tensor
    values: Tensor


class TextTable(nn.Module):
    """Standardized text vectors `[n, D]` that a network reads through `values`: not trained with it, not saved, and not copied by a copy.

    Where the language model behind them is tuned (`encoder.tuning`), the training module asks for the gradient of what this very table's
    network read, apart from what copies read, and replaces the vectors of all copies in place. A network whose texts are to be tuned reads
    them through such a table, made of the data's own tensor (`data.catalog.text_vectors` and the like): that is how it is known which
    texts these are. Centre and scale stay those of the first vectors, so that a text that does not change does not move.
    """

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        centre, scale = standardization(vectors)
        self._shared = Shared(_Contents(vectors, centre, scale, (vectors - centre) / scale))
        self._watched: Tensor | None = None

    @property
    def values(self) -> Tensor:
        """The vectors `[n, D]` as they are now."""
        return self._shared.values.values if self._watched is None else self._watched

    @property
    def source(self) -> Tensor:
        """The data's tensor that it was made of."""
        return self._shared.values.source

    @property
    def memory(self) -> int:
        """A number that is the same for tables that are copies of each other, and no others."""
        return id(self._shared)

    def replace(self, vectors: Tensor) -> None:
        """Let it, and every copy of it, read other vectors `[n, D]` of the same texts."""
        contents = self._shared.values
        contents.values.copy_((vectors - contents.centre) / contents.scale)

    def watch(self, watching: bool) -> None:
        """From now on, let losses leave the gradient of what is read here, or no longer do so."""
        self._watched = self._shared.values.values.detach().requires_grad_() if watching else None

    def take_gradient(self) -> Tensor | None:
        """The gradient `[n, D]` of losses since last asked, by the vectors that `replace` takes; None if none came from here."""
        if self._watched is None or self._watched.grad is None:
            return None
        gradient, self._watched.grad = self._watched.grad, None
        return gradient / self._shared.values.scale
