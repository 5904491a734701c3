"""The training and held-out texts of a language model, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Generator, Tensor

from recframe.interfaces import Data, DataError, token_batches

Batch = dict[str, Tensor]


def texts_of(data: Data) -> list[str]:
    """All texts of the data, each once and none blank: items, users' profiles, contexts, and users' texts about items."""
    texts = [text for some in data.texts.values() for text in some.texts]
    if data.interactions is not None and "text" in data.interactions.frame.columns:
        texts += [text for text in data.interactions.frame["text"].to_list() if text is not None]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def split_texts(texts: Sequence[str], held_out: float, generator: Generator) -> tuple[list[str], list[str]]:
    """A random split into texts for training and the share `held_out` of held-out texts, at least one of each.

    Raises
    ------
    DataError: if there are fewer than two texts.
    """
    if len(texts) < 2:
        raise DataError(f"the dataset has {len(texts)} different texts; at least two are needed, one to train on and one to hold out")
    kept = min(max(round(held_out * len(texts)), 1), len(texts) - 1)
    order = torch.randperm(len(texts), generator=generator).tolist()
    return [texts[row] for row in sorted(order[kept:])], [texts[row] for row in sorted(order[:kept])]


def batch_rows(counts: Sequence[int], batch_tokens: int, generator: Generator) -> list[list[int]]:
    """Rows of the texts that form each batch: each row once, of similar length, in random order.

    The batches are bounded as by `token_batches`. Their number does not depend on the generator, which decides which texts of a length
    are in one batch, and the order of the batches.
    """
    order = torch.randperm(len(counts), generator=generator).tolist()
    shuffled = [counts[row] for row in order]
    batches = [[order[row] for row in batch] for batch in token_batches(shuffled, batch_tokens, longest_first=False)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


class Batches:
    """`steps` batches to train on, made on demand, with as many passes through the texts as needed.

    Parameters
    ----------
    counts: tokens of each text.     make: makes a batch from texts and the generator.
    epochs: passes through all texts; used if `steps` is None.
    """

    def __init__(
        self,
        texts: Sequence[str],
        counts: Sequence[int],
        make: Callable[[Sequence[str], Generator], Batch],
        *,
        batch_tokens: int,
        epochs: int,
        steps: int | None,
        seed: int,
    ) -> None:
        self.texts, self.counts, self.make = texts, counts, make
        self.batch_tokens = batch_tokens
        self.generator = torch.Generator().manual_seed(seed)
        self._first = batch_rows(counts, batch_tokens, self.generator)
        self.steps = epochs * len(self._first) if steps is None else steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        rows = self._first
        for step in range(self.steps):
            position = step % len(self._first)
            if step and position == 0:
                rows = batch_rows(self.counts, self.batch_tokens, self.generator)
            yield self.make([self.texts[row] for row in rows[position]], self.generator)


def held_out_batches(
    texts: Sequence[str], counts: Sequence[int], make: Callable[[Sequence[str], Generator], Batch], batch_tokens: int, seed: int
) -> list[Batch]:
    """The held-out texts as fixed batches, including their masks."""
    generator = torch.Generator().manual_seed(seed)
    return [make([texts[row] for row in rows], generator) for rows in batch_rows(counts, batch_tokens, generator)]
