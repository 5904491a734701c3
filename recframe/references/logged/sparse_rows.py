"""Sparse matrices on the device, and the weighted sums of their rows as scores of items, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

MAX_ENTRIES = 2**23
"""Entries of rows that are added up at once: some 200 MiB."""


class SparseRows(NamedTuple):
    """A sparse matrix of R rows by its entries above 0: those of row r are `offsets[r]` to before `offsets[r + 1]`.

    offsets: `[R + 1]` int64.   columns: `[E]` int32, increasing within a row.   values: `[E]` float32.
    """

    offsets: Tensor
    columns: Tensor
    values: Tensor

    @classmethod
    def of(cls, matrix: sp.csr_matrix, device: torch.device | str) -> SparseRows:
        """The rows of a SciPy matrix."""
        parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))
        return cls(*(torch.from_numpy(part).to(device) for part in parts))


class RowSums(NamedTuple):
    """Scores of items for N users, `sum_t weight_t row_t` over the terms of each user. They satisfy `ItemScores`.

    matrix: the rows, with a column for each item.   num_users: N.
    users, rows: `[T]` int64, the user and the row of each term.   weights: `[T]` float32.
    """

    matrix: SparseRows
    num_users: int
    users: Tensor
    rows: Tensor
    weights: Tensor

    @classmethod
    def of_histories(cls, matrix: SparseRows, items: Tensor, weights: Tensor) -> RowSums:
        """The sums of the rows `items` `[N, H]` with `weights` `[N, H]`; terms without weight are left out."""
        users, places = weights.nonzero(as_tuple=True)
        return cls(matrix, len(items), users, items[users, places], weights[users, places])

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        size = self.num_columns(chosen)
        pairs = torch.arange(self.num_users, device=chosen.device).unsqueeze(1) * size + chosen
        wanted, place = pairs.unique(return_inverse=True)
        sums = torch.zeros(len(wanted), device=chosen.device)
        for users, columns, values in self._terms():
            found = users * size + columns
            at = torch.searchsorted(wanted, found).clamp(max=len(wanted) - 1)
            sums.index_add_(0, at, values * (wanted[at] == found))
        return sums[place]

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        width = last - first
        sums = torch.zeros(self.num_users * width, device=self.weights.device)
        for users, columns, values in self._terms():
            inside = (columns >= first) & (columns < last)
            sums.index_add_(0, (users * width + columns - first)[inside], values[inside])
        return sums.view(self.num_users, width)

    def num_columns(self, chosen: Tensor) -> int:
        """A number above every column and every item of `chosen`."""
        largest = [int(part.max()) for part in (chosen, self.matrix.columns) if part.numel()]
        return 1 + max(largest, default=0)

    def _terms(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """User `[e]`, column `[e]` and weighted value `[e]` of all entries of the rows, `MAX_ENTRIES` or a row's at once."""
        starts = self.matrix.offsets[self.rows]
        lengths = self.matrix.offsets[self.rows + 1] - starts
        ends = lengths.cumsum(0)
        done = 0
        while done < len(self.rows):
            before = int(ends[done - 1]) if done else 0
            until = max(done + 1, int(torch.searchsorted(ends, before + MAX_ENTRIES, right=True)))
            part = slice(done, until)
            size = int(ends[until - 1]) - before
            term = torch.repeat_interleave(torch.arange(done, until, device=ends.device), lengths[part], output_size=size)
            entry = torch.arange(before, before + size, device=ends.device) - (ends - lengths)[term] + starts[term]
            yield self.users[term], self.matrix.columns[entry].long(), self.matrix.values[entry] * self.weights[term]
            done = until


def top_of_rows(matrix: sp.csr_matrix, n: int) -> sp.csr_matrix:
    """The n largest entries of each row of a matrix of entries above 0; of equal ones, those of the first columns."""
    matrix.sort_indices()
    lengths = np.diff(matrix.indptr)
    long_rows = lengths > n
    if not long_rows.any():
        return matrix
    kept = np.repeat(~long_rows, lengths)
    places, lengths = np.flatnonzero(~kept), lengths[long_rows]
    row, begins = np.repeat(np.arange(len(lengths)), lengths), np.cumsum(lengths) - lengths
    # the bits of positive numbers are in the order of the numbers: with the row in front, one sort of integers orders all rows
    keys = (row << 32) - matrix.data[places].astype(np.float32).view(np.int32)
    least = np.sort(keys)[begins + n - 1][row]
    above, equal = keys < least, keys == least
    left = n - np.add.reduceat(above, begins, dtype=np.int64)
    count = np.cumsum(equal)
    kept[places] = above | (equal & (count - (count[begins] - equal[begins])[row] <= left[row]))
    offsets = np.concatenate([[0], np.cumsum(np.minimum(np.diff(matrix.indptr), n))])
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], offsets), shape=matrix.shape)
