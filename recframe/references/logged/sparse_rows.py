"""Sparse matrices by their rows: as tensors, and with only the largest entries of each row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


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

    def dense(self, num_columns: int) -> Tensor:
        """The matrix in full, `[R, num_columns]`."""
        rows = len(self.offsets) - 1
        row = torch.repeat_interleave(torch.arange(rows, device=self.offsets.device), self.offsets.diff())
        return self.values.new_zeros(rows, num_columns).index_put_((row, self.columns.long()), self.values)


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
