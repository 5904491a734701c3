"""The vectors by which simulators compare items: as directions for cosines, or as they are for distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import DataError
from recframe_plugins.environments.simulation.quit_rule import principal_directions

__all__ = ["compared_vectors", "read_item_vectors"]


def compared_vectors(vectors: Tensor, dims: int, *, distances: bool, given: bool) -> Tensor:
    """The vectors that the quit rule compares, float32 `[M, B]`.

    Parameters
    ----------
    vectors: `[M, D]`.    dims: the number of leading principal components that are kept for cosines of vectors that were not `given`.
    distances: whether they are compared by distance: then they stay as they are.
    given: whether the vectors are the user's own. They are not centred: a cosine of zero between two lists of tags has a meaning.
    """
    if distances:
        return vectors.float()
    return F.normalize(vectors.float(), dim=1) if given else principal_directions(vectors, dims)


def read_item_vectors(path: str, num_items: int) -> Tensor:
    """The vectors in an npy file, float32 `[M, D]`.

    Raises
    ------
    DataError: the file is not a matrix of finite numbers with a row for each of the `num_items` items.
    """
    try:
        values = np.load(Path(path).expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"environment.item_vectors={path}: cannot be read ({error}); expected a matrix that numpy.save wrote") from None
    if not isinstance(values, np.ndarray):
        raise DataError(f"environment.item_vectors={path}: is an archive of arrays; expected a matrix that numpy.save wrote")
    if values.dtype.kind not in "biuf" or values.ndim != 2 or not values.shape[1]:
        raise DataError(
            f"environment.item_vectors={path}: holds {values.dtype} of the shape {list(values.shape)}; expected [items, numbers]"
        )
    if len(values) != num_items:
        raise DataError(f"environment.item_vectors={path}: holds {len(values)} rows, expected {num_items}, one for each item")
    with np.errstate(over="ignore"):  # such a value is reported below
        vectors = torch.from_numpy(values.astype(np.float32))
    if not vectors.isfinite().all():
        row = int((~vectors.isfinite()).any(dim=1).nonzero()[0])
        raise DataError(f"environment.item_vectors={path}: row {row + 1} holds a value that is not finite; expected numbers")
    return vectors
