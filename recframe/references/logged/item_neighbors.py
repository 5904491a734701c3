"""Similarities of items by who took them: the cosine with shrinkage, and only the most similar items of each.

    s_ij = x_i' x_j / (|x_i| |x_j| + shrinkage),  s_ii = 0

with the columns x of the matrix of interactions (Sarwar et al., 2001; Deshpande & Karypis, 2004; the shrinkage as in Dacrema et al., 2021,
equation 1): the similarity of items that few people took is shrunk towards 0.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from recframe.references.logged.sparse_rows import top_of_rows

MAX_PRODUCTS = 2**24
"""Entries of the product that are computed at once: some 600 MiB with what their sorting needs."""


def item_neighbors(matrix: sp.csr_matrix, shrinkage: float, neighbors: int, max_products: int = MAX_PRODUCTS) -> sp.csr_matrix:
    """The similarities `[M, M]` of each item (row) to the `neighbors` items most similar to it, sparse.

    Memory is bounded by the result and `max_products`: rows are computed in blocks whose product cannot have more entries (or one row).

    matrix: X `[S, M]`.
    """
    by_item = matrix.T.tocsr()
    norms = np.sqrt(np.asarray(by_item.multiply(by_item).sum(axis=1)).ravel())
    # a row of the product has at most an entry for each item of each of its people
    people = by_item.copy()
    people.data[:] = 1.0
    products = np.minimum(people @ np.diff(matrix.indptr), len(norms))
    parts = blocks_of(products, max_products)
    return sp.vstack([_similar(by_item[a:b], matrix, norms, a, shrinkage, neighbors) for a, b in parts], format="csr")


def blocks_of(sizes: np.ndarray, largest: int) -> list[tuple[int, int]]:
    """Ranges of rows, in order, whose `sizes` add up to at most `largest`; a row that is larger is alone."""
    ends, blocks, first = np.cumsum(sizes), [], 0
    while first < len(sizes):
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + largest, side="right")))
        blocks.append((first, last))
        first = last
    return blocks


def _similar(rows: sp.csr_matrix, matrix: sp.csr_matrix, norms: np.ndarray, first: int, shrinkage: float, n: int) -> sp.csr_matrix:
    product = (rows @ matrix).tocsr()
    row = np.repeat(np.arange(first, first + rows.shape[0], dtype=np.int32), np.diff(product.indptr))
    product.data /= (norms[row] * norms[product.indices] + shrinkage).astype(np.float32)
    product.data[product.indices == row] = 0.0
    product.eliminate_zeros()
    return top_of_rows(product, n)
