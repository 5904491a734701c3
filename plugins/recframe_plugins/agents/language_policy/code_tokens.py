"""The tokens of item codes: the vectors that a model reads and writes them by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.language_models.backbone import first_deviation
from recframe_plugins.agents.language_policy.book import CodeBook

WRITE_DEVIATION = 0.02
"""Standard deviation of the first vectors by which codes are written: their logits are close to each other at the start."""


class CodeTokens(nn.Module):
    """A vector for reading and one for writing each code; titles have the same words at all levels, other codes are of one level each.

    They belong to codes, not to items: weights that are loaded bring as many as their codes are.

    Parameters
    ----------
    book: whose codes they are.
    like_read, like_write: `[V, E]`, the vectors of the tokens that a trained model has already: new ones start around their means, so that
        they are neither louder nor more probable than these (Hewitt, 2021, "Initializing new word embeddings"). None: around 0.
    """

    learns_shapes = True

    def __init__(
        self, book: CodeBook, dim: int, device: torch.device, like_read: Tensor | None = None, like_write: Tensor | None = None
    ) -> None:
        super().__init__()
        # in a tuple, so that it is not registered twice
        self._book = (book,)
        total = max(first + size for first, size in zip(self.first, self.sizes, strict=True))
        self.read = nn.Parameter(_new_vectors(total, dim, like_read, first_deviation(dim)).to(device))
        self.write = nn.Parameter(_new_vectors(total, dim, like_write, WRITE_DEVIATION).to(device))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each level."""
        return self._book[0].sizes

    @property
    def first(self) -> list[int]:
        """The first row of each level's codes."""
        return self._book[0].first_rows

    def extend_items(self, num_items: int) -> None:
        """Nothing: further items are written in the same codes."""

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in ("read", "write"):
            loaded, own = state_dict.get(prefix + name), getattr(self, name)
            if loaded is not None and loaded.shape != own.shape:
                setattr(self, name, nn.Parameter(torch.empty_like(loaded, device=own.device)))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def rows(self, codes: Tensor, level: int = 0) -> Tensor:
        """The rows `[..., T]` of codes `[..., T]`, which are of the levels from `level` on."""
        return codes + torch.tensor(self.first[level : level + codes.shape[-1]], dtype=torch.int64, device=codes.device)

    def vectors(self, codes: Tensor, level: int = 0) -> Tensor:
        """The vectors `[..., T, E]` of codes `[..., T]`, which are of the levels from `level` on."""
        return F.embedding(self.rows(codes, level), self.read)

    def logits(self, hidden: Tensor, level: int) -> Tensor:
        """The scores `[..., size]` of a level's codes after vectors `[..., E]`."""
        first = self.first[level]
        return F.linear(hidden, self.write[first : first + self.sizes[level]])


class VocabularyTokens(CodeTokens):
    """Titles as the text tokens of a trained model: their vectors are the model's; only the codes that tell equal titles apart are new.

    Parameters
    ----------
    book: of titles, whose codes are numbers of the tokens that occur.
    read, write: the model's input and output embeddings, modules with a `weight` `[V, E]`, which the backbone owns.
    """

    def __init__(self, book: CodeBook, dim: int, device: torch.device, read: Any, write: Any) -> None:
        super().__init__(book, dim, device, read.weight, write.weight)
        self._of_model = (read, write)
        suffix = book.sizes[-1]
        self.read, self.write = (nn.Parameter(one[-suffix:].detach().clone()) for one in (self.read, self.write))

    def vectors(self, codes: Tensor, level: int = 0) -> Tensor:
        """The vectors `[..., T, E]` of codes `[..., T]`, which are of the levels from `level` on."""
        titles = len(self.sizes) - 1 - level
        words, last = codes[..., :titles], codes[..., titles:]
        read = F.embedding(self._book[0].tokens_of(words), self._of_model[0].weight)
        return torch.cat([read, F.embedding(last, self.read)], dim=-2) if last.shape[-1] else read

    def logits(self, hidden: Tensor, level: int) -> Tensor:
        """The scores `[..., size]` of a level's codes after vectors `[..., E]`."""
        if level == len(self.sizes) - 1:
            return F.linear(hidden, self.write)
        return F.linear(hidden, self._of_model[1].weight[self._book[0].used])


def _new_vectors(count: int, dim: int, like: Tensor | None, around_zero: float) -> Tensor:
    if like is None:
        return torch.randn(count, dim) * around_zero
    like = like.detach().float().cpu()
    return like.mean(dim=0) + torch.randn(count, dim) * like.std(dim=0) / math.sqrt(dim)
