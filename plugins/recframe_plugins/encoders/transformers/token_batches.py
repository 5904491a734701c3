"""Batches of texts that a forward pass can bear: bounded in tokens, and of texts of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def token_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Rows of texts that go into one forward pass together, the longest texts first; each row once.

    A batch padded to its longest text has `batch_tokens` tokens at most, unless it is a single text that is longer by itself. The longest
    come first because a lack of memory then shows at once.
    """
    counts = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    begin = 0
    while begin < len(order):
        size = max(batch_tokens // max(int(counts[order[begin]]), 1), 1)
        yield order[begin : begin + size].tolist()
        begin += size
