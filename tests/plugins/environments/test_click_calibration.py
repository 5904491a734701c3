"""Calibration of the user model: click rates that are those of the log, and what is said where the model knows nothing."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recframe.interfaces import Interactions
from recframe.report_cards import calibration_error, deciles
from recframe_plugins.environments.preference_model.calibration import click_curve
from recframe_plugins.environments.preference_model.caveats import model_caveats
from recframe_plugins.environments.preference_model.matrix_factorization import Ratings
from recframe_plugins.environments.preference_model.scored_model import HeldOutRatings, errors_of

USERS, ITEMS = 60, 40
FIT = {"similarity": "factors", "factors": 2, "regularization": 5.0, "holdout": 0.3}


def exposures(rate, seed=0, repeats=6):
    """A log of shown items, several per pair: 1 for a click, 0 for none; clicks depend on the item and on two hidden tastes."""
    generator = np.random.default_rng(seed)
    tastes = generator.normal(size=(USERS, 2)) @ generator.normal(size=(2, ITEMS)) + generator.normal(size=ITEMS)
    users, items = (part.repeat(repeats) for part in np.divmod(np.arange(USERS * ITEMS), ITEMS))
    logits = tastes[users, items] + np.log(rate / (1.0 - rate))
    clicks = (generator.random(len(users)) < 1.0 / (1.0 + np.exp(-logits))).astype(float)
    frame = pl.DataFrame({"user": users, "item": items, "timestamp": np.arange(len(users)), "rating": clicks})
    return Interactions(frame, ("rating",), source="log.csv")


def world(make, toy_world, log, **options):
    return make("preference_model", data=toy_world._replace(interactions=log), **(FIT | options))


def test_click_curve_is_at_the_maximum_of_the_penalised_likelihood():
    generator = np.random.default_rng(1)
    scores = generator.normal(size=4000)
    clicks = generator.random(4000) < 1.0 / (1.0 + np.exp(-(0.8 * scores - 3.0)))
    curve = click_curve(torch.from_numpy(scores), torch.from_numpy(clicks))
    assert curve.slope == pytest.approx(0.8, abs=0.15)
    assert curve.intercept == pytest.approx(-3.0, abs=0.25)
    # the gradient of sum y log p + (1 - y) log(1 - p) - slope^2 / 2 is zero
    probability = 1.0 / (1.0 + np.exp(-(curve.slope * scores + curve.intercept)))
    assert (clicks - probability) @ scores - curve.slope == pytest.approx(0.0, abs=1e-6)
    assert probability.mean() == pytest.approx(clicks.mean(), abs=1e-9)
    np.testing.assert_allclose(curve(torch.from_numpy(scores)), probability)


def test_clicks_that_the_score_separates_give_a_finite_curve():
    scores = torch.linspace(-2, 2, 100)
    curve = click_curve(scores, scores > 1.0)
    assert 1.0 < curve.slope < 100.0
    assert curve(scores).mean().item() == pytest.approx((scores > 1.0).float().mean().item(), abs=1e-6)


def test_calibration_error_is_the_mean_distance_of_tenths():
    generator = np.random.default_rng(2)
    predicted = generator.permutation(np.arange(25) / 25)
    observed = (generator.random(25) < 0.3).astype(float)
    parts = np.array_split(np.argsort(predicted), 10)
    means = [(predicted[part].mean(), observed[part].mean()) for part in parts]
    expected = sum(len(part) * abs(guess - seen) for part, (guess, seen) in zip(parts, means, strict=True)) / 25
    ours = torch.from_numpy(predicted), torch.from_numpy(observed)
    assert calibration_error(*ours) == pytest.approx(expected)
    np.testing.assert_allclose(torch.stack(deciles(*ours), dim=1), means)


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.4])
def test_click_rates_are_those_of_the_log(make, toy_world, rate):
    environment = world(make, toy_world, exposures(rate), num_users=2000)
    report = environment.report()
    log = report["user_model/click_rate_log"]
    # the curve is fitted to one half of the held-out pairs and measured on the other: 2160 each
    error = 4.5 * (log * (1.0 - log) / 2160) ** 0.5
    assert abs(report["user_model/click_rate_held_out"] - log) < error
    # every pair is in this log, so that all pairs together have its rate, too
    assert abs(report["user_model/click_rate_all_pairs"] - log) < error
    assert report["user_model/click_calibration_error"] < 0.1 * log + error
    environment.reset(0)
    shown = environment.step(torch.randint(ITEMS, (2000, 1), generator=torch.Generator().manual_seed(0)))
    rates = shown.response.signals["click"].mean().item()
    assert abs(rates - log) < 1.5 * error
    # what is predicted to be liked is clicked more: the slope is not lost to the rate
    assert report["user_model/click_calibration_error/decile_10_observed"] > 1.5 * log
    # so few clicks may tell hardly more than biases do, and then it is said
    assert not any("no better" in line for line in environment.caveats())


def test_without_calibration_a_rare_click_is_simulated_too_often(make, toy_world):
    environment = world(make, toy_world, exposures(0.005), calibrate=False, num_users=500)
    environment.reset(0)
    assert environment.truth().signals["click"].mean() > 0.05
    assert "user_model/click_rate_log" not in environment.report()


def test_only_a_log_of_zeros_and_ones_has_clicks_unless_a_rating_counts_as_one(make, toy_world):
    stars = make("preference_model")
    assert not any("click" in name for name in stars.report())
    assert (stars.config.taste_weight, stars.config.threshold) == (1.5, 2.0)
    liked = make("preference_model", click_rating=4.0, holdout=0.3)
    logged = toy_world.interactions.frame["rating"]
    assert liked.report()["user_model/click_rate_log"] == pytest.approx((logged >= 4.0).mean())
    assert liked.report()["user_model/click_rate_held_out"] == pytest.approx((logged >= 4.0).mean(), abs=0.1)


def test_a_given_setting_that_the_calibration_replaces_is_said(make, toy_world):
    environment = world(make, toy_world, exposures(0.05), taste_weight=3.0)
    fitted = environment.config.taste_weight
    said = f"environment.taste_weight=3 is not used: {fitted:.3g} was fitted to the clicks of the log; to use it, set environment.calibrate"
    assert [line.startswith(said) for line in environment.caveats()] == [True]
    both = world(make, toy_world, exposures(0.05), taste_weight=3.0, threshold=1.0).caveats()
    assert ["environment.threshold=1 is not used" in line for line in both] == [False, True]
    assert world(make, toy_world, exposures(0.05), taste_weight=3.0, calibrate=False).caveats() == ()
    # a log without clicks is calibrated to nothing
    assert make("preference_model", taste_weight=3.0).config.taste_weight == 3.0
    assert not any("not used" in line for line in make("preference_model", taste_weight=3.0).caveats())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"holdout": 0.0}, r"not calibrated to the log: environment\.holdout is 0, so there are no held-out clicks"),
        ({"choice_model": "cascade"}, r"not calibrated to the log: environment\.choice_model=cascade has other probabilities"),
        ({"holdout": 0.0001}, "not calibrated to the log: of 0 held-out ratings, none or all are clicks"),
    ],
)
def test_why_clicks_are_not_calibrated_is_said(make, toy_world, options, problem):
    environment = world(make, toy_world, exposures(0.01), **options)
    assert any(re.search(problem, line) for line in environment.caveats())


def test_a_model_that_is_no_better_than_a_constant_or_biases_says_so(make, toy_world):
    generator = np.random.default_rng(3)
    frame = toy_world.interactions.frame
    noise = frame.with_columns(rating=pl.Series(generator.integers(1, 6, frame.height).astype(float)))
    data = toy_world._replace(interactions=replace(toy_world.interactions, frame=noise))
    overfitted = make("preference_model", data=data, factors=8, regularization=1e-3, bias_regularization=1e-3, holdout=0.3)
    assert "no better than by the mean of all ratings (held-out RMSE: model" in overfitted.caveats()[0]
    (biases,) = world(make, toy_world, exposures(0.4), similarity="text", factors=0).caveats()
    assert "no better than by biases alone" in biases
    assert make("preference_model", factors=4, regularization=1.0, holdout=0.3).caveats() == ()


@pytest.mark.parametrize(
    ("model", "biases", "mean", "words"),
    [(1.0, 0.9, 1.0, "the mean of all"), (0.9, 0.9, 1.0, "biases alone"), (1.1, 1.2, 1.0, "the mean of all"), (0.8, 0.9, 1.0, None)],
)
def test_caveats_of_held_out_errors(model, biases, mean, words):
    errors = {f"x/rmse_{name}": value for name, value in (("model", model), ("biases", biases), ("global_mean", mean))}
    lines = list(model_caveats(errors, "ratings", "x/"))
    assert ["no better than by " + words in line for line in lines] == [True] if words else lines == []
    assert list(model_caveats({}, "ratings")) == []


@pytest.mark.parametrize(("gain", "hardly"), [(0.1, True), (0.3, False)])
def test_a_gain_over_biases_within_its_noise_is_said(gain, hardly):
    errors = {"x/rmse_model": 0.8, "x/rmse_biases": 0.9, "x/rmse_global_mean": 1.0, "x/gain": gain, "x/gain_error": 0.1}
    lines = list(model_caveats(errors, "ratings", "x/"))
    assert ["ratings are predicted hardly better than by biases alone" in line for line in lines] == [True] * hardly


def test_the_error_of_the_gain_counts_people():
    generator = torch.Generator().manual_seed(0)
    users = torch.randint(9, (200,), generator=generator)
    values, biases, model = (torch.rand(200, generator=generator) for _ in range(3))
    held_out = HeldOutRatings(Ratings(users, users, values), {"global_mean": biases, "biases": biases, "model": model}, None)
    errors = errors_of(held_out)
    gains = ((biases - values).double() ** 2 - (model - values).double() ** 2).numpy()
    assert errors["user_model/gain"] == pytest.approx(gains.mean())
    of_people = np.array([(gains - gains.mean())[users.numpy() == person].sum() for person in range(9)])
    assert errors["user_model/gain_error"] == pytest.approx(np.sqrt((of_people**2).sum() * 9 / 8) / 200)
