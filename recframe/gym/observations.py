"""Observations for other libraries: named float arrays, in which texts and items are vectors instead of row numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor

from recframe.interfaces import Data, EnvironmentSpec, Observation, principal_components, standardized, symlog

Arrays = dict[str, npt.NDArray[np.float32]]

SYMLOG_BOUND = float(math.ceil(math.log1p(torch.finfo(torch.float32).max)))
"""`symlog` maps no float32 number to more than this."""

RELATIVE_RANK_TOLERANCE = 1e-9
"""Components with less than this share of the first one's variance are rounding errors."""


def projection_axes(vectors: Tensor, dims: int) -> Tensor:
    """The `dims` leading principal axes of `vectors` `[n, D]` as columns `[D, d]`; fewer if the vectors span fewer, but at least one.

    Signs are fixed, so that a policy that was saved on another machine reads the same numbers.
    """
    centred = (vectors - vectors.mean(dim=0)).double()
    components = principal_components(centred.T @ centred)
    rank = int((components.variances > RELATIVE_RANK_TOLERANCE * components.variances[0]).sum())
    return components.leading(min(dims, max(rank, 1))).with_fixed_signs().axes.to(vectors.dtype)


class ObservationArrays:
    """Converts observations of N users to arrays, and defines their space.

    The arrays are float32; those that the environment has no data for are absent:

    - `history` `[N, H, d + F]`: the text vector of each shown item, oldest first, and its feedback after `symlog`; zeros for missing
      entries. Absent with continuous actions, whose histories hold no items.
    - `profile` `[N, d]`, `context` `[N, d]`: the text vectors of the user's profile and of the context.
    - `features` `[N, X]`: raw numbers after `symlog`.
    - `candidates` `[N, C, d]`: the text vectors of the items that may be shown; zeros if the list is not full.

    Text vectors with more than `text_dims` dims are projected to the leading principal components of the catalogue; profiles and contexts
    use the same projection. All text vectors are standardized. With `symlog` for numbers, everything is in finite boxes.

    Parameters
    ----------
    spec: of the environment.    data: with the text vectors that the agent is to read.
    text_dims: number of dims of each text vector; None: all, 0: no texts.

    Raises
    ------
    ValueError: `text_dims` is negative, texts have no vectors, or no part of the observation is left.
    """

    def __init__(self, spec: EnvironmentSpec, data: Data, text_dims: int | None) -> None:
        if text_dims is not None and text_dims < 0:
            raise ValueError(f"text_dims is the number of dims kept of text vectors, 0 or more (None: all), not {text_dims}")
        vectors, axes = data.catalog.text_vectors, None
        if vectors is None and text_dims != 0:
            raise ValueError("the catalogue has no text vectors: use text_dims=0, or data whose texts have been encoded")
        if vectors is not None and not vectors.shape[1]:
            # the encoder does not read texts: leave them out
            text_dims = 0
        if vectors is not None and text_dims is not None and 0 < text_dims < vectors.shape[1]:
            axes = projection_axes(vectors, text_dims)
        self.spec = spec

        def table(rows: Tensor | None) -> Tensor | None:
            if rows is None or text_dims == 0:
                return None
            return standardized(rows if axes is None else rows @ axes)

        items = table(vectors)
        self.text_dims = 0 if items is None else items.shape[1]
        # row 0 is PAD's
        self._items = None if items is None else F.pad(items, (0, 0, 1, 0))
        profiles = data.users.profiles if data.users is not None and spec.has_users else None
        self._profiles = table(profiles.vectors if profiles is not None else None)
        self._contexts = table(data.contexts.vectors if data.contexts is not None else None) if spec.has_context else None
        self.space = self._space()

    def _space(self) -> spaces.Dict:
        spec, dims = self.spec, self.text_dims
        boxes: dict[str, spaces.Space[Any]] = {}
        if spec.actions == "items":
            bound = np.full((spec.history_length, dims + len(spec.signals)), SYMLOG_BOUND, np.float32)
            if self._items is not None:
                bound[:, :dims] = _bound(self._items)
            boxes["history"] = spaces.Box(-bound, bound)
        if self._profiles is not None:
            boxes["profile"] = _box(self._profiles, dims)
        if self._contexts is not None:
            boxes["context"] = _box(self._contexts, dims)
        if spec.num_features:
            boxes["features"] = spaces.Box(-SYMLOG_BOUND, SYMLOG_BOUND, (spec.num_features,), np.float32)
        if spec.num_candidates and self._items is not None:
            boxes["candidates"] = _box(self._items, spec.num_candidates, dims)
        if not boxes:
            raise ValueError("nothing is left to observe: this environment shows neither features nor texts; use text_dims of 1 or more")
        return spaces.Dict(boxes)

    def __call__(self, observation: Observation) -> Arrays:
        """The arrays `[n, ...]` of n users; new arrays in every call."""
        found: dict[str, Tensor] = {}
        if self.spec.actions == "items":
            feedback = symlog(observation.history_feedback)
            shown = observation.history_items
            found["history"] = feedback if self._items is None else torch.cat([F.embedding(shown + 1, self._items), feedback], dim=-1)
        if self._profiles is not None:
            found["profile"] = F.embedding(observation.user, self._profiles)
        if self._contexts is not None:
            assert observation.context is not None
            found["context"] = F.embedding(observation.context, self._contexts)
        if self.spec.num_features:
            assert observation.features is not None
            found["features"] = symlog(observation.features)
        if self.spec.num_candidates and self._items is not None:
            assert observation.candidates is not None
            found["candidates"] = F.embedding(observation.candidates + 1, self._items)
        return {name: value.float().cpu().numpy() for name, value in found.items()}


def _bound(table: Tensor) -> float:
    """The largest magnitude in a table; 1 for a table of zeros, as a box must not be empty."""
    return float(table.abs().max()) or 1.0


def _box(table: Tensor, *shape: int) -> spaces.Box:
    bound = _bound(table)
    return spaces.Box(-bound, bound, shape, np.float32)
