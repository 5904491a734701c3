"""Scores of items as weighted sums of a matrix's rows, such as those of the items of a history; in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.references.logged.sparse_rows import SparseRows

MAX_ENTRIES = 2**23
"""Entries of sparse rows that are added up at once: some 300 MiB."""


class Terms(NamedTuple):
    """What is added up for each of N users: T rows with weights, in the order of the users.

    num_users: N.   users, rows: `[T]` int64.   weights: `[T]` float32.
    """

    num_users: int
    users: Tensor
    rows: Tensor
    weights: Tensor

    @classmethod
    def of(cls, rows: Tensor, weights: Tensor) -> Terms:
        """The rows `[N, H]` with their weights `[N, H]`; those without weight are left out."""
        users, places = weights.nonzero(as_tuple=True)
        return cls(len(rows), users, rows[users, places], weights[users, places])


class RowSums(NamedTuple):
    """Scores of items for N users: sums of rows of a dense matrix. They satisfy `ItemScores`.

    matrix: `[R, M]` float32.
    """

    matrix: Tensor
    terms: Terms

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self.between(0, self.matrix.shape[1]).gather(1, chosen)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        terms = self.terms
        starts = torch.searchsorted(terms.users, torch.arange(terms.num_users, device=terms.users.device))
        return F.embedding_bag(terms.rows, self.matrix[:, first:last], starts, mode="sum", per_sample_weights=terms.weights)


class SparseRowSums(NamedTuple):
    """Scores of items for N users: sums of rows of a sparse matrix, with a column for each item. They satisfy `ItemScores`."""

    matrix: SparseRows
    terms: Terms

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        size = 1 + max((int(part.max()) for part in (chosen, self.matrix.columns) if part.numel()), default=0)
        pairs = torch.arange(len(chosen), device=chosen.device).unsqueeze(1) * size + chosen
        wanted, place = pairs.unique(return_inverse=True)
        sums = torch.zeros(len(wanted), device=chosen.device)
        for users, columns, values in self._entries():
            found = users * size + columns
            at = torch.searchsorted(wanted, found).clamp(max=len(wanted) - 1)
            sums.index_add_(0, at, values * (wanted[at] == found))
        return sums[place]

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        width = last - first
        sums = torch.zeros(self.terms.num_users * width, device=self.terms.weights.device)
        for users, columns, values in self._entries():
            inside = ((columns >= first) & (columns < last)).nonzero().squeeze(1)
            sums.index_add_(0, users[inside] * width + columns[inside] - first, values[inside])
        return sums.view(self.terms.num_users, width)

    def _entries(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """User `[e]`, column `[e]` and weighted value `[e]` of all entries of the rows, `MAX_ENTRIES` or one row's at once."""
        offsets, terms = self.matrix.offsets, self.terms
        starts = offsets[terms.rows]
        lengths = offsets[terms.rows + 1] - starts
        ends = lengths.cumsum(0)
        # an entry's place in the matrix, less its place among all entries
        shifts = starts - (ends - lengths)
        first = 0
        while first < len(ends):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(torch.searchsorted(ends, before + MAX_ENTRIES, right=True)))
            size = int(ends[last - 1]) - before
            term = torch.repeat_interleave(torch.arange(first, last, device=ends.device), lengths[first:last], output_size=size)
            entry = torch.arange(before, before + size, device=ends.device) + shifts[term]
            yield terms.users[term], self.matrix.columns[entry], self.matrix.values[entry] * terms.weights[term]
            first = last
