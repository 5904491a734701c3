"""Batches of texts whose padded tokens are bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def token_batches(lengths: Sequence[int], batch_tokens: int, *, longest_first: bool = True) -> Iterator[list[int]]:
    """Rows of the texts that form each batch, ordered by length so that there is little padding; each row once.

    A batch padded to its longest text has at most `batch_tokens` tokens, unless it is a single text that is longer. Texts of equal length
    keep their order. With the longest texts first, a lack of memory shows in the first batch.

    Parameters
    ----------
    lengths: tokens of each text.
    """
    counts = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-counts if longest_first else counts, kind="stable")
    begin, longest = 0, 1
    for position, length in enumerate(counts[order].tolist()):
        longest = max(longest, length)
        if position > begin and (position + 1 - begin) * longest > batch_tokens:
            yield order[begin:position].tolist()
            begin, longest = position, max(length, 1)
    if begin < len(order):
        yield order[begin:].tolist()
