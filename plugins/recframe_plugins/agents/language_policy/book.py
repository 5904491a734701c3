"""The codes of the catalogue that a policy writes in: saved with its weights, as another computation could give others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from recframe.errors import ModelError
from recframe.interfaces import PAD, Catalog, Shared
from recframe.item_codes import CodeTree, ItemCodes


class CodeBook(nn.Module):
    """Item codes with their prefix tree.

    The first `levels` codes of an item are written, and are what `of` and `path` give: as many as tell all items apart.

    Weights that are loaded bring the codes of their items. Where there are more items now, those at the end get codes by their texts, with
    the codebooks that the others were coded with.

    Parameters
    ----------
    codes: of all M items.   catalog: the items, with text vectors.
    compact: for titles in a vocabulary of which they use a part: codes are then the numbers of the tokens that occur (`used`).

    `replaced` says that loaded weights brought other codes; who reports them sets it back.
    """

    learns_shapes = True

    codes: Tensor
    """`[M, levels of ItemCodes]` int64, as they were made."""
    code_sizes: Tensor

    def __init__(self, codes: ItemCodes, catalog: Catalog, compact: bool = False) -> None:
        super().__init__()
        self._catalog = Shared(catalog)
        self._compact = compact
        self._learned_names = tuple(codes.learned)
        self._use(codes)
        self.replaced = False

    def _use(self, codes: ItemCodes) -> None:
        self._item_codes = Shared(codes)
        # loading writes into buffers: they must not be the tensors that the tree and `of_new` read
        self.register_buffer("codes", codes.codes.clone())
        self.register_buffer("code_sizes", torch.tensor(codes.sizes, device=codes.codes.device))
        for name, tensor in codes.learned.items():
            self.register_buffer(name, tensor.clone())
        written, sizes, used = codes.codes, codes.sizes, codes.codes.new_zeros(0)
        if self._compact:
            used, numbers = codes.prefixes.unique(return_inverse=True)
            written = torch.cat([numbers, codes.codes[:, -1:]], dim=1)
            sizes = (len(used),) * (codes.num_levels - 1) + codes.sizes[-1:]
        self.tree = CodeTree(written, sizes)
        self.register_buffer("_written", written, persistent=False)
        self.register_buffer("used", used, persistent=False)
        # the number of prefixes of each length, from 0 on
        ends = [*self.tree.offsets[1:], len(self.tree)]
        self.num_prefixes = [end - start for start, end in zip(self.tree.offsets, ends, strict=True)]
        # the last codes of items that these tell apart already need not be written: often the suffix
        self.levels = next(length for length, count in enumerate(self.num_prefixes) if count == len(codes) and length)

    _written: Tensor
    used: Tensor

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each level."""
        return self.tree.sizes

    @property
    def first_rows(self) -> list[int]:
        """The first row of each level's codes in a table of the vectors of all codes: titles have the same words at all levels."""
        if self._item_codes.values.kind == "titles":
            return [0] * (len(self.sizes) - 1) + [self.sizes[0]]
        return [sum(self.sizes[:level]) for level in range(len(self.sizes))]

    def of(self, items: Tensor) -> Tensor:
        """The codes `[..., L]` of items `[...]`; those of item 0 for `PAD`."""
        return self._written[items.clamp(min=0), : self.levels]

    def tokens_of(self, codes: Tensor) -> Tensor:
        """The tokens of the vocabulary of codes of titles, of any shape."""
        return self.used[codes]

    def path(self, items: Tensor) -> Tensor:
        """The nodes of the tree `[..., L + 1]` from the root on to items `[...]`; -1 for `PAD`."""
        return self.tree.path(items)[..., : self.levels + 1]

    def item(self, node: Tensor) -> Tensor:
        """The item of each node after L codes; `PAD` for -1."""
        return self.tree.order[self.tree.first[node.clamp(min=0)]].masked_fill(node < 0, PAD)

    def report(self) -> Mapping[str, float]:
        """`ItemCodes.report`."""
        return self._item_codes.values.report()

    def extend_items(self, num_items: int) -> None:
        """Give the items at the end of a larger catalogue codes."""
        codes = self._item_codes.values
        catalog, known = self._catalog.values, len(codes)
        if num_items > known:
            vectors = catalog.text_vectors
            new = torch.zeros(num_items - known, 0) if vectors is None else vectors[known:]
            self._use(codes.of_new(new, catalog.titles[known:]))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        self._require_kind(state_dict.get(prefix + "code_sizes"))
        for name in ("codes", "code_sizes", *self._learned_names):
            loaded = state_dict.get(prefix + name)
            if loaded is not None and loaded.shape != getattr(self, name).shape:
                setattr(self, name, torch.empty_like(loaded, device=self.codes.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        known, sizes = self._item_codes.values, tuple(self.code_sizes.tolist())
        learned = {name: getattr(self, name) for name in self._learned_names}
        same = sizes == known.sizes and torch.equal(self.codes, known.codes)
        if not same or any(not torch.equal(tensor, known.learned[name]) for name, tensor in learned.items()):
            self.replaced = True
            # what was measured when the known codes were made is not true of others
            self._use(replace(known, codes=self.codes, sizes=sizes, learned=learned, measures={}))

    def _require_kind(self, sizes: Tensor | None) -> None:
        """Refuse codes of other settings; how long titles are, and how many items collide, are not settings."""
        known = self._item_codes.values
        if sizes is None or known.kind == "titles":
            return
        there, here = list(sizes.tolist()), list(known.sizes)
        there, here = (there[:1], here[:1]) if known.kind == "ids" else (there[:-1], here[:-1])
        if there != here:
            raise ModelError(
                f"agent.codes: the codes of these weights have the sizes {there}, those of this run {here}; set agent.codes.levels and "
                "agent.codes.size as they were"
            )
