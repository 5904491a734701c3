"""Ratings that a matrix does not have: items that are never shown to a person, or ratings that a model predicts."""

from __future__ import annotations

import weakref
from dataclasses import asdict

import torch
from torch import Tensor

from recframe.computed import Computed, computed, tensors_sha256
from recframe.interfaces import PAD
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings
from recframe_plugins.environments.preference_model.scored_model import errors_of, hold_out

__all__ = ["imputed", "item_means", "unrated_items"]

ITERATIONS = 15
HELD_OUT = 0.1
PREFIX = "user_model/"

# keyed by the identity of the matrix and removed with it: the environments of a run share one fit
_imputed: dict[int, dict[tuple[object, ...], tuple[Tensor, dict[str, float]]]] = {}


def unrated_items(missing: Tensor) -> Tensor:
    """The items without a rating of each person, int64 `[P, X]`, ascending with `PAD` at the end; X is the largest number of them.

    missing: `[P, M]` bool.
    """
    width = int(missing.sum(dim=1).max())
    # a stable sort puts the unrated items first and keeps their order
    first = (~missing).byte().argsort(dim=1, stable=True)[:, :width]
    return first.masked_fill(~missing.gather(1, first), PAD)


def item_means(values: Tensor, missing: Tensor) -> Tensor:
    """The mean of each item's known `values` `[P, M]`, `[M]`; the mean of all for an item that nobody rated."""
    known = ~missing
    sums, counts = values.masked_fill(missing, 0.0).double().sum(dim=0), known.sum(dim=0)
    return torch.where(counts > 0, sums / counts.clamp(min=1), sums.sum() / counts.sum()).to(values)


def imputed(ratings: Tensor, held_out: Tensor, options: FitOptions) -> tuple[Tensor, dict[str, float]]:
    """`ratings` `[P, M]` with the missing ones predicted, and measures of the predictions by name.

    The ratings of the people that `held_out` `[P]` marks, and those of the others, are predicted by two models, each from the known ratings
    of these people alone (`matrix_factorization.py`): training must know nothing of held-out people, and two matrices may be two different
    simulators. Predictions are clipped to the range of the known ratings. Errors are those of models that are fitted without a tenth of the
    known ratings, on that tenth; the names of those of held-out people have `evaluation_` in them.
    """
    if id(ratings) not in _imputed:
        _imputed[id(ratings)] = {}
        weakref.finalize(ratings, _imputed.pop, id(ratings), None)
    fits, key = _imputed[id(ratings)], (options,)
    if key not in fits:
        completed = ratings.clone()
        measures: dict[str, float] = {}
        for rows, prefix in ((~held_out, ""), (held_out, "evaluation_")):
            part, errors = _completed(ratings[rows], options)
            completed[rows] = part
            measures |= {PREFIX + prefix + name.removeprefix(PREFIX): value for name, value in errors.items()}
        fits[key] = completed, measures
    return fits[key]


def _completed(ratings: Tensor, options: FitOptions) -> tuple[Tensor, dict[str, float]]:
    known = ~ratings.isnan()
    if known.all():
        return ratings, {}
    users, items = known.nonzero().cpu().unbind(dim=1)
    values = ratings[known].cpu().double()
    logged = Ratings(users, items, values)
    num_users, num_items = ratings.shape

    def compute() -> Computed:
        model = fit_ratings(logged, num_users, num_items, options)
        predicted = model.mean + model.user_biases[:, None] + model.item_biases + model.user_factors @ model.item_factors.T
        errors = errors_of(hold_out(logged, num_users, num_items, options, HELD_OUT))
        return Computed({"predicted": predicted.clamp(values.min(), values.max())}, errors)

    content = tensors_sha256(users, items, values)
    key = {"ratings": content, "sizes": [num_users, num_items], "options": asdict(options), "held_out": HELD_OUT}
    tensors, errors = computed("missing ratings", key, compute)
    share = 1.0 - known.double().mean().item()
    return torch.where(known, ratings, tensors["predicted"].to(ratings)), errors | {f"{PREFIX}share_imputed": share}
