"""Preference model: simulated users who respond as their logged ratings predict."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.interfaces import DataError
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions, Ratings, fit_ratings, mean_and_deviation
from recframe_plugins.environments.preference_model.preference_model import PreferenceModel, censored_normal_mean
from recframe_plugins.environments.simulation.quit_rule import principal_directions

# the toy ratings follow topics closely, so they need smaller penalties than the default
PERSONAL = {"regularization": 1.0, "factors": 4}


def all_predictions(environment, data):
    fit = environment.config
    options = FitOptions(fit.factors, fit.regularization, fit.bias_regularization, fit.iterations, fit.model_seed)
    model = fit_ratings(Ratings.of(data.interactions, "rating"), len(data.users), len(data.catalog), options)
    pairs = torch.cartesian_prod(torch.arange(len(data.users)), torch.arange(len(data.catalog)))
    return model, model.predict(*pairs.unbind(dim=1)).view(len(data.users), len(data.catalog))


def test_expected_responses_of_a_rested_user_follow_from_the_predicted_rating(make, toy_world):
    environment = make("preference_model", rating_noise=0.0, num_users=100, **PERSONAL)
    user = environment.reset(0).user
    _, predicted = all_predictions(environment, toy_world)
    standardised = (predicted - predicted.mean()) / predicted.std(correction=0)
    truth = environment.truth()
    config = environment.config
    expected_click = torch.sigmoid(config.taste_weight * standardised[user] - config.threshold).float()
    torch.testing.assert_close(truth.signals["click"], expected_click, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(truth.signals["rating"], predicted[user].clamp(1.0, 5.0).float(), rtol=1e-4, atol=1e-4)


def test_mean_and_deviation_are_those_over_all_pairs(make, toy_world):
    model, predicted = all_predictions(make("preference_model", **PERSONAL), toy_world)
    mean, deviation = mean_and_deviation(model)
    assert mean == pytest.approx(predicted.mean().item())
    assert deviation == pytest.approx(predicted.std(correction=0).item())


@given(
    mean=st.floats(-5, 15),
    deviation=st.floats(0.05, 4.0),
    bounds=st.tuples(st.floats(0, 10), st.floats(0, 10)).filter(lambda b: b[0] < b[1]),
)
def test_the_mean_of_a_clipped_normal_variable_is_its_integral(mean, deviation, bounds):
    z = torch.linspace(-8, 8, 40_001, dtype=torch.float64)
    density = torch.exp(-0.5 * z.square()) / (2 * torch.pi) ** 0.5
    integral = torch.trapezoid((mean + deviation * z).clamp(*bounds) * density, z)
    formula = censored_normal_mean(torch.tensor(mean, dtype=torch.float64), deviation, *bounds)
    assert formula.item() == pytest.approx(integral.item(), abs=1e-4)


@pytest.mark.parametrize("similarity", ["text", "factors"])
def test_only_items_similar_to_shown_items_are_boring(make, similarity):
    options = {"similarity": similarity, "leave_rate": 0.0, "repeat_penalty": 0.0, **PERSONAL}
    environment = make("preference_model", num_users=200, **options)
    environment.reset(0)
    fresh = environment.truth().signals["click"]
    # items 0, 5, 10 and 15 are of one topic, as is item 20; item 21 is of another
    for item in (0, 5, 10, 15):
        environment.step(torch.full((200, 1), item))
    bored = environment.truth().signals["click"] / fresh
    assert (bored[:, 20] < 0.5).all()
    assert (bored[:, 21] > 0.8).all()


def test_tired_users_rate_lower_than_rested_users(make):
    environment = make("preference_model", num_users=50, leave_rate=0.0)
    environment.reset(0)
    fresh = environment.truth().signals["rating"][:, 0]
    environment.step(torch.zeros(50, 1, dtype=torch.int64))
    assert (environment.truth().signals["rating"][:, 0] < fresh).all()


def test_ratings_stay_in_the_range_of_the_data(make, toy_world):
    environment = make("preference_model", num_users=500, rating_noise=5.0)
    environment.reset(0)
    ratings = environment.step(torch.zeros(500, 1, dtype=torch.int64)).response.signals["rating"]
    logged = toy_world.interactions.frame["rating"]
    assert ratings.min() == logged.min()
    assert ratings.max() == logged.max()


def test_greedy_choice_by_truth_beats_random_and_every_single_item(make, toy_world):
    """The best item for each user by the truth, against random items, the most popular item and the best single item for all users."""

    def clicks(policy):
        environment = make("preference_model", num_users=400, **PERSONAL)
        environment.reset(0)
        alive, total, steps = torch.ones(400), torch.zeros(400), 0.0
        for _ in range(50):
            step = environment.step(policy(environment))
            total += alive * step.response.signals["click"].squeeze(1)
            steps += alive.sum().item()
            alive *= ~(step.terminated | step.truncated)
        return total.mean().item(), total.sum().item() / steps

    generator = torch.Generator().manual_seed(0)
    at_random, random_rate = clicks(lambda e: torch.randint(40, (400, 1), generator=generator))
    adapted, _ = clicks(lambda e: e.truth().signals["click"].argmax(dim=1, keepdim=True))
    fixed = [clicks(lambda e, item=item: torch.full((400, 1), item))[0] for item in range(40)]
    popular, _ = clicks(lambda e: toy_world.catalog.popularity.argmax().expand(400, 1))
    assert 0.1 < random_rate < 0.3
    assert adapted > 1.5 * at_random
    assert adapted > 3 * max(popular, *fixed)


def test_principal_directions_have_length_one_and_keep_the_angles_of_centred_vectors():
    vectors = 5.0 + torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    centred = torch.nn.functional.normalize(vectors - vectors.mean(dim=0), dim=1)
    whole = principal_directions(vectors, 100)
    torch.testing.assert_close(whole @ whole.T, centred @ centred.T, atol=1e-5, rtol=1e-4)
    leading = principal_directions(vectors, 3)
    assert leading.shape == (30, 3)
    torch.testing.assert_close(leading.norm(dim=1), torch.ones(30))
    assert (principal_directions(torch.ones(4, 3), 2) == 0).all()


def test_report_has_the_errors_of_the_model_and_its_baselines(make):
    names = {f"user_model/{measure}_{what}" for measure in ("rmse", "mae") for what in ("global_mean", "biases", "model")}
    calibration = {"user_model/rating_calibration_error"}
    deciles = {f"user_model/rating_calibration_error/decile_{k}_{side}" for k in range(1, 11) for side in ("predicted", "observed")}
    assert (
        set(make("preference_model").report())
        == names | {f"user_model/{name}" for name in ("num_held_out", "gain", "gain_error")} | calibration | deciles
    )
    assert make("preference_model", holdout=0.0).report() == {}


def test_only_users_with_ratings_are_simulated(make, toy_world):
    frame = toy_world.interactions.frame
    log = replace(toy_world.interactions, frame=frame.filter(frame["user"] < 10))
    environment = make("preference_model", num_users=200, data=toy_world._replace(interactions=log))
    assert set(environment.reset(0).user.tolist()) < set(range(10))


def test_popularity_is_counted_from_the_people_of_the_training_split(tmp_path):
    (tmp_path / "movies.dat").write_text("".join(f"{item}::Film {item} (1990)::Drama\n" for item in range(6)))

    def loaded(sparse: set[int] = frozenset(), **settings):
        rows = [
            (user, item) for user in range(20) for item in range(6) if user % 6 != item and not (user in sparse and item != (user + 1) % 6)
        ]
        (tmp_path / "ratings.dat").write_text("".join(f"{user}::{item}::{1 + (user + item) % 5}::1\n" for user, item in rows))
        changed = [f"environment.{name}={value}" for name, value in settings.items()]
        cfg = compose_config(["dataset=movielens_format", "environment=preference_model", f"dataset.path={tmp_path}", "encoder=tfidf",
                              "environment.slate_size=1", f"embeddings.cache={tmp_path / 'cache'}", *changed])  # fmt: skip
        parts = assemble(cfg)
        people = {split: set(parts.environment(300, split).reset(0).user.tolist()) for split in ("train", "evaluation")}
        return parts, people

    for settings in ({}, {"evaluation_share": 0.4, "model_seed": 3}):
        parts, people = loaded(**settings)
        log = parts.data.interactions.frame
        of_training = log.filter(log["user"].is_in(sorted(people["train"])))["item"].to_numpy()
        assert parts.data.catalog.popularity.tolist() == np.bincount(of_training, minlength=6).tolist()
        assert parts.reading.catalog.popularity is parts.data.catalog.popularity
        # what held-out people rated is not to be seen in it
        users = parts.data.users.ids
        other, _ = loaded({int(users[user]) for user in people["evaluation"]}, **settings)
        assert len(other.data.interactions) < len(log)
        assert torch.equal(other.data.catalog.popularity, parts.data.catalog.popularity)


def test_equal_ratings_are_refused_with_the_file(make, toy_world):
    frame = toy_world.interactions.frame.with_columns(rating=1.0)
    for source, named in (("/data/ratings.csv", "/data/ratings.csv"), ("", "the interactions")):
        log = replace(toy_world.interactions, frame=frame, source=source)
        with pytest.raises(
            DataError, match=f"^{named}: every rating is 1, so nothing says what people like; .* 1 for a click and 0"
        ) as refused:
            make("preference_model", data=toy_world._replace(interactions=log))
        assert "\n" not in str(refused.value)


def test_unusable_data_is_refused_with_a_remedy(make, toy_world):
    with pytest.raises(DataError, match="needs logged interactions"):
        make("preference_model", data=toy_world._replace(interactions=None))
    without_vectors = toy_world._replace(catalog=replace(toy_world.catalog, text_vectors=None))
    with pytest.raises(DataError, match="no text vectors; use 'factors'"):
        make("preference_model", data=without_vectors)
    assert make("preference_model", data=without_vectors, similarity="factors").spec.num_items == 40
    with pytest.raises(DataError, match=r"environment\.factors is 0"):
        make("preference_model", similarity="factors", factors=0)


def test_the_components_of_texts_are_those_of_items_with_interactions(make, toy_world):
    """Texts of items that nobody met, such as those of the held-out part of a log alone, change nothing for the others."""
    frame = toy_world.interactions.frame.filter(pl.col("item") < 30)
    vectors = toy_world.catalog.text_vectors
    other = vectors.clone()
    other[30:] = 100.0 * torch.randn(10, vectors.shape[1], generator=torch.Generator().manual_seed(1))
    appeals = []
    for texts in (vectors, other):
        data = toy_world._replace(
            catalog=replace(toy_world.catalog, text_vectors=texts), interactions=replace(toy_world.interactions, frame=frame)
        )
        options = {"similarity": "factors", "text_components": 4, "text_penalty": 1.0, "iterations": 1}
        config = make("preference_model", data=data, **options, **PERSONAL).config
        appeals.append(PreferenceModel._text_features(config, data))
    assert torch.equal(appeals[0][:30], appeals[1][:30])
    assert not torch.equal(appeals[0][30:], appeals[1][30:])
    torch.testing.assert_close(appeals[0][:30].square().mean(dim=0), torch.ones(4, dtype=torch.float64))
