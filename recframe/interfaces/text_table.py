"""Text vectors as networks read them: standardized once, shared by copies, and replaceable while a language model is tuned."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from recframe.interfaces.scaling import standardization
from recframe.interfaces.shared import Shared

Network = TypeVar("Network", bound=nn.Module)

SPARE_ROWS = 64
"""Rows that a table keeps free behind its own once a text was appended to it: later texts are written there, and nothing is copied."""


class _Contents(NamedTuple):
    """source: the vectors `[n, D]` as the data has them.   values: the standardized vectors that are read, of others if `replaced`.

    room: values are its first rows; others are free.   lent: tables that are apart from this one read the same memory.
    """

    source: Tensor
    centre: Tensor
    scale: Tensor
    values: Tensor
    room: Tensor
    replaced: bool = False
    lent: bool = False


class TextTable(nn.Module):
    """Standardized text vectors `[n, D]` that a network reads through `values`; not trained with it, and shared by its copies.

    Not the vectors are saved with the network, but centre and scale: with other texts, such as further items at the end, the network reads
    the old ones as it has learned to. Of weights of earlier releases, which lack them, those of the table's own vectors are used.

    While the language model behind them is tuned (`encoder.tuning`), the training module asks for the gradient of what the network of this
    table read, separately from what copies read, and replaces the vectors of all copies in place. A network whose texts can be tuned reads
    them through such a table, made of the data's own tensor (`data.catalog.text_vectors` and the like): the tensor identifies
    the texts. Centre and scale stay those of the first vectors, so that the vector of a text that does not change stays the same.
    """

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        centre, scale = standardization(vectors)
        values = (vectors - centre) / scale
        self._shared = Shared(_Contents(vectors, centre, scale, values, values))
        self._watched: Tensor | None = None

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        contents = self._shared.values
        if not contents.source.shape[1]:
            # an encoder that reads no text: there is nothing to standardize
            return
        # copies: safetensors refuses tensors that share memory, and these are shared by all copies of the table
        destination[f"{prefix}centre"], destination[f"{prefix}scale"] = contents.centre.clone(), contents.scale.clone()

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        contents, state = self._shared.values, dict(state_dict)
        centre, scale = (state.pop(f"{prefix}{name}", None) for name in ("centre", "scale"))
        if centre is not None and scale is not None:
            self._standardize_by(contents, centre.to(contents.centre), scale.to(contents.scale))
        super()._load_from_state_dict(state, prefix, *rest)

    def _standardize_by(self, contents: _Contents, centre: Tensor, scale: Tensor) -> None:
        if torch.equal(centre, contents.centre) and torch.equal(scale, contents.scale):
            return
        read = contents.values * contents.scale + contents.centre if contents.replaced else contents.source
        values = (read - centre) / scale
        self._shared.values = contents._replace(centre=centre, scale=scale, values=values, room=values)

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
        values = (vectors - contents.centre) / contents.scale
        if contents.lent:
            contents = contents._replace(values=values, room=values, lent=False)
        else:
            contents.values.copy_(values)
        self._shared.values = contents._replace(replaced=True)

    @contextmanager
    def appended(self, vectors: Tensor) -> Iterator[None]:
        """Let this table, and every copy of it, have rows for n further texts after its own within the block, with the vectors `[n, D]`.

        For texts that were not there in training, such as what a new person says.
        """
        before = self._shared.values
        own, needed = len(before.values), len(before.values) + len(vectors)
        new = ((vectors - before.centre) / before.scale).to(before.values)
        if new.requires_grad:
            self._shared.values = before._replace(values=torch.cat([before.values, new]))
        else:
            if len(before.room) < needed:
                room = torch.cat([before.values, before.values.new_zeros(len(vectors) + SPARE_ROWS, new.shape[1])])
                before = before._replace(values=room[:own], room=room, lent=False)
            before.room[own:needed] = new
            self._shared.values = before._replace(values=before.room[:needed])
        try:
            yield
        finally:
            self._shared.values = before

    @contextmanager
    def exchanged(self, vectors: Tensor) -> Iterator[None]:
        """Let this table, and every copy of it, have the texts of the vectors `[n, D]` alone within the block: row i is that of vector i.

        For a network that is exported without its texts, and is given their vectors with each question.
        """
        before = self._shared.values
        self._shared.values = before._replace(values=(vectors - before.centre) / before.scale)
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


def independent_copy(network: Network, unused: AbstractContextManager[Any] | None = None) -> Network:
    """A deep copy whose text tables are its own: what one of the two reads in `TextTable.appended` and the like, the other one does not.

    Both may be asked by different threads. Weights and text vectors are in memory once, so neither may be trained: the copy has the
    network's own parameters, and of its buffers those that a module names in an attribute `frozen_buffers`, which are never written.

    unused: a block of it begins when nobody asks the network, and nobody does within it. It may be asked otherwise while it is copied,
        which takes long where there are many items. It may be entered twice. None: nobody asks meanwhile.
    """
    unused = nullcontext() if unused is None else unused
    try:
        copied = copy.deepcopy(network, _read_by_both(network))
    except RuntimeError:
        # an answer has put something into a dictionary while it was read
        with unused:
            copied = copy.deepcopy(network, _read_by_both(network))
    with unused:
        _set_apart(copied)
    return copied


def _read_by_both(network: nn.Module) -> dict[int, Any]:
    """What a network and its copy have together, as `deepcopy` takes it."""
    frozen = [getattr(module, name) for module in network.modules() for name in getattr(module, "frozen_buffers", ())]
    return {id(tensor): tensor for tensor in (*network.parameters(), *frozen)}


def _set_apart(copied: nn.Module) -> None:
    """Give the text tables of a deep copy contents of their own."""
    apart: dict[int, Shared[_Contents]] = {}
    for module in copied.modules():
        if isinstance(module, TextTable):
            shared = module._shared
            if id(shared) not in apart:
                shared.values = shared.values._replace(lent=True)
                # rows that are free in the room are those of one side only
                apart[id(shared)] = Shared(shared.values._replace(room=shared.values.values))
            module._shared = apart[id(shared)]


def tables_of(network: nn.Module, vectors: Tensor | None) -> list[TextTable]:
    """The tables from which a network reads the texts that the data has these vectors of, one for each set of copies."""
    tables = [module for module in network.modules() if isinstance(module, TextTable) and module.source is vectors]
    return list({table.shared_id: table for table in tables}.values())
