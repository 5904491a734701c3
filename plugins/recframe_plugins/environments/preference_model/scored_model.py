"""A rating model that is fitted to all ratings, and scored on held-out ones by a model that was fitted without them."""

from __future__ import annotations

import weakref
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.computed import Computed, computed, tensors_sha256
from recframe.interfaces import Interactions
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, RatingModel, Ratings, fit_ratings


class HeldOutRatings(NamedTuple):
    """Held-out ratings `[R]`, in random order, and their predictions by models that were fitted without them.

    predictions: `[R]` for each of `global_mean`, `biases` (the model without factors), `model`, and, if the model reads features of items,
        `without_features`, clipped to the range of the ratings.
    fitted: the last of these models.
    """

    ratings: Ratings
    predictions: dict[str, Tensor]
    fitted: RatingModel


def hold_out(
    ratings: Ratings, num_users: int, num_items: int, options: FitOptions, holdout: float, features: Tensor | None = None
) -> HeldOutRatings | None:
    """Predict a random share `holdout` of the ratings from the others; None if it holds no rating.

    The predictors have the same regularisation of the biases. With features of the items `[M, k]` there is one more, `without_features`,
    so that it can be seen what they add.
    """
    held_out = min(round(holdout * len(ratings)), len(ratings) - 1)
    if not held_out:
        return None
    order = torch.randperm(len(ratings), generator=torch.Generator().manual_seed(options.seed))
    test, train = ratings[order[:held_out]], ratings[order[held_out:]]
    biases = fit_ratings(train, num_users, num_items, replace(options, factors=0))
    model = fit_ratings(train, num_users, num_items, options, features)
    predictions = {
        "global_mean": train.values.mean().expand(held_out),
        "biases": biases.predict(test.users, test.items),
        "model": model.predict(test.users, test.items),
    }
    if features is not None:
        predictions["without_features"] = fit_ratings(train, num_users, num_items, options).predict(test.users, test.items)
    low, high = train.values.min(), train.values.max()
    return HeldOutRatings(test, {name: predicted.clamp(low, high) for name, predicted in predictions.items()}, model)


def errors_of(held_out: HeldOutRatings | None) -> dict[str, float]:
    """RMSE and MAE of the predictors on the held-out ratings, how many there are, and what the model gains; empty if there are none.

    `user_model/gain` is how much smaller the model's mean squared error is than that of biases alone, and `user_model/gain_error` its
    standard error, for which the ratings of one person are one draw.
    """
    if held_out is None:
        return {}
    errors = {"user_model/num_held_out": float(len(held_out.ratings))}
    for name, predicted in held_out.predictions.items():
        error = predicted - held_out.ratings.values
        errors[f"user_model/rmse_{name}"] = error.square().mean().sqrt().item()
        errors[f"user_model/mae_{name}"] = error.abs().mean().item()
    return errors | _gain(held_out)


def _gain(held_out: HeldOutRatings) -> dict[str, float]:
    values = held_out.ratings.values.double()
    biases, model = ((held_out.predictions[name].double() - values).square() for name in ("biases", "model"))
    gains = biases - model
    mean = gains.mean()
    _, person = held_out.ratings.users.unique(return_inverse=True)
    people = int(person.max()) + 1
    of_people = torch.zeros(people, dtype=torch.float64, device=gains.device).index_add_(0, person, gains - mean)
    spread = of_people.square().sum() * people / max(people - 1, 1)
    return {"user_model/gain": mean.item(), "user_model/gain_error": spread.sqrt().item() / len(gains)}


@dataclass(frozen=True)
class ScoredModel:
    """A model fitted to all ratings, and held-out ratings with the predictions of a model that was fitted to the other ratings.

    ratings: all.   low, high: the lowest and the highest rating in the data.   users: the numbers of the users with ratings, ascending.
    """

    model: RatingModel
    ratings: Ratings
    low: float
    high: float
    users: Tensor
    held_out: HeldOutRatings | None


# Keyed by the identity of the interactions, whose frame has no hash. An entry is removed with its interactions, so no identity is reused.
_scored: dict[int, dict[tuple[object, ...], ScoredModel]] = {}


def scored_model(
    interactions: Interactions,
    feedback: str,
    num_users: int,
    num_items: int,
    options: FitOptions,
    holdout: float,
    features: Tensor | None = None,
) -> ScoredModel:
    """Fit and score once per process for the same `interactions` object and options: the environments of a run share the model.

    Runs share it through the store of `recframe.computed`.

    features: `[M, k]`, what is known of the items beforehand; the same for the same interactions and number of columns.

    Raises
    ------
    DataError: see `Ratings.of`.
    """
    if id(interactions) not in _scored:
        _scored[id(interactions)] = {}
        weakref.finalize(interactions, _scored.pop, id(interactions), None)
    models, key = (
        _scored[id(interactions)],
        (feedback, num_users, num_items, options, holdout, None if features is None else features.shape[1]),
    )
    if key not in models:
        ratings = Ratings.of(interactions, feedback)
        model, held_out = _fitted(ratings, num_users, num_items, options, holdout, features)
        models[key] = ScoredModel(
            model=model,
            ratings=ratings,
            low=ratings.values.min().item(),
            high=ratings.values.max().item(),
            users=torch.unique(ratings.users),
            held_out=held_out,
        )
    return models[key]


def _fitted(
    ratings: Ratings, num_users: int, num_items: int, options: FitOptions, holdout: float, features: Tensor | None
) -> tuple[RatingModel, HeldOutRatings | None]:
    def compute() -> Computed:
        fits = {"model": fit_ratings(ratings, num_users, num_items, options, features)}
        tensors: dict[str, Tensor] = {}
        if (held_out := hold_out(ratings, num_users, num_items, options, holdout, features)) is not None:
            fits["fitted"] = held_out.fitted
            tensors |= {f"ratings/{name}": tensor for name, tensor in vars(held_out.ratings).items()}
            tensors |= {f"predictions/{name}": tensor for name, tensor in held_out.predictions.items()}
        return Computed(tensors | {f"{fit}/{name}": tensor for fit, model in fits.items() for name, tensor in vars(model).items()})

    content = tensors_sha256(ratings.users, ratings.items, ratings.values, features)
    key = {"ratings": content, "sizes": [num_users, num_items], "options": asdict(options), "holdout": holdout}
    found = computed("user model", key, compute).tensors

    def group(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(f"{prefix}/"): tensor for name, tensor in found.items() if name.startswith(f"{prefix}/")}

    held_out = None
    if "fitted/mean" in found:
        held_out = HeldOutRatings(Ratings(**group("ratings")), group("predictions"), RatingModel(**group("fitted")))
    return RatingModel(**group("model")), held_out
