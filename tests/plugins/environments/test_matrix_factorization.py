"""The fit of the user model: it recovers known structure, is scored on held-out ratings, and runs once per process."""

import gc
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recframe.interfaces import DataError, Interactions
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.movielens_format import MovieLensFormat
from recframe_plugins.environments.preference_model import matrix_factorization
from recframe_plugins.environments.preference_model import scored_model as scored_models
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings
from recframe_plugins.environments.preference_model.scored_model import errors_of, hold_out, scored_model

DEFAULTS = PreferenceModelConfig()
USERS, ITEMS, RANK = 300, 200, 3


def planted(noise, seed=0):
    """30 % of the entries of a low-rank matrix as ratings, and the matrix."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    matrix = 3.0 + 0.5 * normal(USERS, 1) + 0.5 * normal(1, ITEMS) + normal(USERS, RANK) @ normal(RANK, ITEMS)
    users, items = (torch.rand(USERS, ITEMS, generator=generator) < 0.3).nonzero(as_tuple=True)
    return Ratings(users, items, matrix[users, items] + noise * normal(len(users))), matrix


def options(factors=RANK, seed=0, regularization=0.1):
    return FitOptions(factors=factors, regularization=regularization, bias_regularization=0.1, iterations=20, seed=seed)


def interactions(ratings):
    frame = pl.DataFrame({"user": ratings.users.numpy(), "item": ratings.items.numpy(), "rating": ratings.values.numpy()})
    return Interactions(frame.with_columns(timestamp=pl.lit(0, dtype=pl.Int64)), ("rating",))


def test_low_rank_matrix_is_recovered():
    ratings, matrix = planted(noise=0.1)
    model = fit_ratings(ratings, USERS, ITEMS, options())
    users, items = torch.cartesian_prod(torch.arange(USERS), torch.arange(ITEMS)).unbind(dim=1)
    error = (model.predict(users, items) - matrix[users, items]).square().mean().sqrt()
    assert error < 0.1


def test_model_beats_its_baselines_on_held_out_ratings_of_a_low_rank_matrix():
    ratings, _ = planted(noise=0.3)
    errors = errors_of(hold_out(ratings, USERS, ITEMS, options(), holdout=0.1))
    assert errors["user_model/num_held_out"] == round(0.1 * len(ratings))
    for measure in ("rmse", "mae"):
        model, biases, mean = (errors[f"user_model/{measure}_{name}"] for name in ("model", "biases", "global_mean"))
        assert model < 0.3 * biases
        assert biases < mean


def test_scored_model_does_not_see_held_out_ratings():
    """Noise is predicted no better than by its mean; a score on fitted ratings would be far better."""
    generator = torch.Generator().manual_seed(0)
    ratings, _ = planted(noise=0.0)
    noise = Ratings(ratings.users, ratings.items, torch.randn(len(ratings), generator=generator, dtype=torch.float64))
    errors = errors_of(hold_out(noise, USERS, ITEMS, options(factors=8), holdout=0.1))
    assert errors["user_model/rmse_model"] > 0.97 * errors["user_model/rmse_global_mean"]


def test_coefficients_minimise_the_penalised_error():
    """At the minimum of the objective in the items, its gradient in every item bias and factor is zero."""
    ratings, _ = planted(noise=0.3)
    fit = options(regularization=2.0)
    model = fit_ratings(ratings, USERS, ITEMS, fit)
    bias, factors = model.item_biases.clone().requires_grad_(), model.item_factors.clone().requires_grad_()
    match = (model.user_factors[ratings.users] * factors[ratings.items]).sum(dim=1)
    error = ratings.values - model.mean - model.user_biases[ratings.users] - bias[ratings.items] - match
    (error.square().sum() + fit.bias_regularization * bias.square().sum() + fit.regularization * factors.square().sum()).backward()
    assert bias.grad.abs().max() < 1e-8
    assert factors.grad.abs().max() < 1e-8


def test_fit_is_reproducible_and_independent_of_the_chunk_size(monkeypatch):
    ratings, _ = planted(noise=0.3)
    first, again, other = (fit_ratings(ratings, USERS, ITEMS, options(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first.item_factors, again.item_factors)
    assert not torch.equal(first.item_factors, other.item_factors)
    monkeypatch.setattr(matrix_factorization, "CHUNK_RATINGS", 1000)
    in_chunks = fit_ratings(ratings, USERS, ITEMS, options())
    torch.testing.assert_close(first.item_factors, in_chunks.item_factors)


def test_users_and_items_without_ratings_are_predicted_from_the_remaining_terms():
    ratings, _ = planted(noise=0.3)
    model = fit_ratings(ratings, USERS + 1, ITEMS + 1, options())
    unknown = model.predict(torch.tensor([USERS]), torch.tensor([ITEMS]))
    torch.testing.assert_close(unknown, ratings.values.mean()[None])
    only_biases = model.predict(torch.tensor([USERS]), torch.tensor([0]))
    torch.testing.assert_close(only_biases, (model.mean + model.item_biases[0])[None])


def test_the_same_interactions_and_options_are_fitted_once(monkeypatch):
    fits = []
    fit = scored_models.fit_ratings
    monkeypatch.setattr(scored_models, "fit_ratings", lambda *arguments: fits.append(1) or fit(*arguments))
    log = interactions(planted(noise=0.3)[0])
    first = scored_model(log, "rating", USERS, ITEMS, options(), 0.1)
    assert len(fits) == 3  # the model on all ratings; biases and model without the held-out ratings
    assert scored_model(log, "rating", USERS, ITEMS, options(), 0.1) is first
    assert len(fits) == 3
    assert scored_model(log, "rating", USERS, ITEMS, options(seed=1), 0.1) is not first
    assert scored_model(interactions(planted(noise=0.3)[0]), "rating", USERS, ITEMS, options(), 0.1) is not first


def test_cached_fit_is_removed_with_its_interactions():
    log = interactions(planted(noise=0.3)[0])
    scored_model(log, "rating", USERS, ITEMS, options(), 0.0)
    gc.collect()
    known = len(scored_models._scored)
    del log
    gc.collect()
    assert len(scored_models._scored) == known - 1


def test_rows_without_a_rating_are_ignored_and_a_missing_column_is_named():
    frame = pl.DataFrame({"user": [0, 1, 2], "item": [0, 1, 0], "timestamp": [0, 0, 0], "rating": [1.0, None, float("nan")]})
    log = Interactions(frame, ("rating",))
    with pytest.raises(DataError, match="at least 2 ratings; the interactions have 1 in 'rating'"):
        Ratings.of(log, "rating")
    with pytest.raises(DataError, match="no feedback 'stars'; they have rating"):
        Ratings.of(log, "stars")
    both = Interactions(frame.with_columns(rating=pl.Series([1.0, None, 4.0])), ("rating",))
    assert Ratings.of(both, "rating").users.tolist() == [0, 2]


def test_no_errors_are_reported_without_a_holdout():
    ratings, _ = planted(noise=0.3)
    assert errors_of(hold_out(ratings, USERS, ITEMS, options(), holdout=0.0)) == {}


@pytest.mark.slow
def test_model_is_no_worse_than_biases_and_biases_beat_the_mean_on_real_ratings(movietweetings):
    """Averaged over three splits: factors improve on biases by about 0.2 % here, which is less than the difference between splits."""
    config = MovieLensFormatConfig(path=str(movietweetings), min_user_ratings=5, min_item_ratings=5)
    data = MovieLensFormat(config).load()
    ratings = Ratings.of(data.interactions, "rating")
    assert (len(data.users), len(data.catalog), len(ratings)) == (4333, 2414, 68055)
    rmse = dict.fromkeys(("model", "biases", "global_mean"), 0.0)
    for seed in range(3):
        fit = FitOptions(DEFAULTS.factors, DEFAULTS.regularization, DEFAULTS.bias_regularization, DEFAULTS.iterations, seed)
        errors = errors_of(hold_out(ratings, len(data.users), len(data.catalog), fit, DEFAULTS.holdout))
        rmse = {name: value + errors[f"user_model/rmse_{name}"] / 3 for name, value in rmse.items()}
    assert rmse["model"] <= rmse["biases"]
    assert rmse["biases"] < 0.85 * rmse["global_mean"]


def described(noise=0.3, seed=1):
    """Ratings of 5 % of a matrix whose item factors and biases are linear in two features of the items; and the features."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = normal(ITEMS, 2)
    factors, biases = features @ normal(2, RANK), features @ normal(2, 1)
    matrix = 3.0 + biases.T + normal(USERS, RANK) @ factors.T
    users, items = (torch.rand(USERS, ITEMS, generator=generator) < 0.05).nonzero(as_tuple=True)
    return Ratings(users, items, matrix[users, items] + noise * normal(len(users))), features, matrix


def test_features_of_items_help_where_ratings_are_few():
    ratings, features, _ = described()
    errors = errors_of(hold_out(ratings, USERS, ITEMS, options(regularization=1.0), 0.1, features))
    assert errors["user_model/rmse_model"] < 0.8 * errors["user_model/rmse_without_features"]


def test_items_without_ratings_are_predicted_from_their_features():
    ratings, features, matrix = described()
    known = ratings[ratings.items >= 20]
    model = fit_ratings(known, USERS, ITEMS, options(regularization=1.0), features)
    users, items = torch.cartesian_prod(torch.arange(USERS), torch.arange(20)).unbind(dim=1)
    found = model.predict(users, items)
    assert torch.corrcoef(torch.stack([found, matrix[users, items]]))[0, 1] > 0.8


def test_each_sweep_lowers_the_penalised_sum_of_squares():
    """The sum that the module's docstring gives, in NumPy, after one sweep more and more."""
    ratings, features, _ = described()
    chosen = options(regularization=2.0)
    sums = []
    for sweeps in (1, 2, 4, 8, 16):
        model = fit_ratings(ratings, USERS, ITEMS, replace(chosen, iterations=sweeps), features)
        x = features.numpy()
        items = np.column_stack([model.item_biases.numpy(), model.item_factors.numpy()])
        users = np.column_stack([model.user_biases.numpy(), model.user_factors.numpy()])
        coefficients = np.linalg.solve(x.T @ x + np.eye(2), x.T @ items)
        penalties = np.array([0.1] + [2.0] * RANK)
        errors = ratings.values.numpy() - model.predict(ratings.users, ratings.items).numpy()
        apart = (penalties * (items - x @ coefficients) ** 2).sum() + (penalties * coefficients**2).sum()
        sums.append((errors**2).sum() + apart + (penalties * users**2).sum())
    assert sums == sorted(sums, reverse=True)
