"""The texts that a language model is trained on, those that it is judged by, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from recframe.interfaces import Data, DataError

Batch = dict[str, Tensor]


def texts_of(data: Data) -> list[str]:
    """All that can be read in the data, each text once and none blank: items, users' profiles, contexts, and what users wrote of items."""
    texts = [text for some in data.texts.values() for text in some.texts]
    if data.interactions is not None and "text" in data.interactions.frame.columns:
        texts += [text for text in data.interactions.frame["text"].to_list() if text is not None]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def split(texts: Sequence[str], held_out: float, generator: Generator) -> tuple[list[str], list[str]]:
    """Texts for training and the share `held_out` that is kept from it, one at least of each, at random.

    Raises
    ------
    DataError: if there are fewer than two texts.
    """
    if len(texts) < 2:
        raise DataError(f"the dataset has {len(texts)} different texts; two are needed, one to train on and one to hold out")
    kept = min(max(round(held_out * len(texts)), 1), len(texts) - 1)
    order = torch.randperm(len(texts), generator=generator).tolist()
    return [texts[row] for row in sorted(order[kept:])], [texts[row] for row in sorted(order[:kept])]


def batch_rows(counts: Sequence[int], batch_tokens: int, generator: Generator) -> list[list[int]]:
    """Rows of the texts that make a batch together: each row once, of like length, in random order.

    A batch padded to its longest text has `batch_tokens` tokens at most, unless it is one text. There are as many batches
    whatever the generator gives, which only says which texts of a length meet, and in which order batches come.
    """
    order = torch.randperm(len(counts), generator=generator).numpy()
    lengths = np.asarray(counts)[order]
    ranking = np.argsort(lengths, kind="stable")
    batches: list[list[int]] = []
    begin = 0
    while begin < len(ranking):
        end = begin + 1
        # lengths rise, so the batch's last text is its longest
        while end < len(ranking) and (end + 1 - begin) * lengths[ranking[end]] <= batch_tokens:
            end += 1
        batches.append(order[ranking[begin:end]].tolist())
        begin = end
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


class Batches:
    """`steps` batches to train on, made as they are asked for, going through the texts as often as it takes.

    Parameters
    ----------
    counts: tokens of each text.     make: from some texts and the generator to their batch.
    epochs: times through all texts; `steps`, where it is not None, is what counts.
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
    """The held-out texts as batches that stay the same, masks and all."""
    generator = torch.Generator().manual_seed(seed)
    return [make([texts[row] for row in rows], generator) for rows in batch_rows(counts, batch_tokens, generator)]
