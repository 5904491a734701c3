"""Missing ratings: items that a person has not rated are never shown to them, or their ratings are predicted."""

import numpy as np
import pytest
import torch

from recframe.evaluation.simulated.rollout import rollout
from recframe.experience.rewards import RewardSum
from recframe.interfaces import PAD, DataError
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe_plugins.environments.rating_matrix.missing_ratings import item_means, unrated_items
from recframe_plugins.rewards.config import RatingConfig
from recframe_plugins.rewards.rating import Rating

SMALL = ReferenceBudget(log_sessions=128, log_slates=2_000, sessions=64)


@pytest.fixture
def sparse(toy_world):
    """Ratings of rank one plus item means, of which three in ten are missing; person 5 has rated two items only."""
    generator = torch.Generator().manual_seed(7)
    tastes, traits = torch.randn(60, 1, generator=generator), torch.randn(1, 40, generator=generator)
    complete = (3.0 + tastes * traits + torch.randn(1, 40, generator=generator)).clamp(1.0, 5.0)
    missing = torch.rand(60, 40, generator=generator) < 0.3
    missing[5] = True
    missing[5, [3, 30]] = False
    held_out = torch.arange(60) % 4 == 0
    return toy_world._replace(ratings=complete.masked_fill(missing, torch.nan), held_out=held_out), complete


@pytest.fixture
def rewards(toy_world):
    return RewardSum({"rating": (Rating(RatingConfig()), 1.0)}, toy_world.catalog, frozenset({"rating"}))


def test_unrated_items_are_listed_for_each_person():
    missing = torch.tensor([[True, False, True], [False, False, False], [False, True, False]])
    assert unrated_items(missing).tolist() == [[0, 2], [PAD, PAD], [1, PAD]]
    assert unrated_items(torch.zeros(2, 3, dtype=torch.bool)).shape == (2, 0)


def test_item_means_are_those_of_the_known_ratings():
    values = torch.tensor([[1.0, torch.nan, torch.nan], [4.0, 2.0, torch.nan]])
    assert item_means(values, values.isnan()).tolist() == pytest.approx([2.5, 2.0, 7 / 3])


@pytest.mark.parametrize("protocol", ["free", "no_repetition", "fixed_length"])
def test_no_policy_shows_what_a_person_has_not_rated(make, sparse, rewards, protocol):
    data, _ = sparse
    options = {"data": data, "protocol": protocol, "slate_size": 2, "max_steps": 6, "num_users": 64}
    train, evaluation = (make("rating_matrix", split=split, **options) for split in ("train", "evaluation"))
    assert train.spec.num_excluded == evaluation.spec.num_excluded
    for policy in reference_policies(train, rewards, data, max_steps=6, seed=0, budget=SMALL).values():
        for environment in (train, evaluation):
            users = environment.start_evaluation(1)[1]
            played = rollout(policy, environment, rewards, 1, 6)
            shown = data.ratings[users[None, :, None], played.slates]
            during = torch.arange(len(shown))[:, None] < played.lengths
            assert shown[during].isfinite().all()


def test_a_session_ends_when_a_person_has_no_rated_item_left(make, sparse):
    data, _ = sparse
    environment = make("rating_matrix", data=data, protocol="fixed_length", num_users=400, max_steps=5)
    observation = environment.reset(0)
    few = observation.user == 5
    assert few.any()
    seen = []
    for _ in range(2):
        slate = environment.truth().signals["rating"].scatter(1, observation.excluded % 40, -1.0).argmax(dim=1, keepdim=True)
        slate = torch.where(few[:, None], torch.tensor(3 if not seen else 30), slate)
        step = environment.step(slate)
        seen.append(step.terminated[few].all().item())
        assert not step.terminated[~few].any()
        assert not step.truncated.any()
        observation = step.observation
    assert seen == [False, True]


def test_the_truth_of_what_cannot_be_shown_is_the_mean_response_of_those_who_rated_it(make, sparse):
    data, _ = sparse
    environment = make("rating_matrix", data=data, num_users=32)
    users = environment.reset(0).user
    truth = environment.truth().signals
    ratings, training = data.ratings.numpy(), (~data.held_out).numpy()
    threshold = (np.nanmin(ratings) + np.nanmax(ratings)) / 2
    for row, user in enumerate(users.tolist()):
        missing = np.isnan(ratings[user])
        np.testing.assert_allclose(truth["rating"][row][~missing], ratings[user][~missing])
        known = ratings[training][:, missing]
        np.testing.assert_allclose(truth["rating"][row][missing], np.nanmean(known, axis=0), rtol=1e-5)
        clicks = np.where(np.isnan(known), np.nan, known >= threshold)
        np.testing.assert_allclose(truth["click"][row][missing], np.nanmean(clicks, axis=0), rtol=1e-5)


def test_people_with_too_few_ratings_for_a_slate_do_not_appear(make, sparse, caplog):
    data, _ = sparse
    environment = make("rating_matrix", data=data, slate_size=3, max_steps=3, num_users=2000)
    assert 5 not in environment.reset(0).user
    assert "1 people of the train split have fewer ratings than a slate has items" in caplog.text
    everything_missing = data.ratings.clone()
    everything_missing[~data.held_out, 2:] = torch.nan
    with pytest.raises(DataError, match="nobody of the train split has 3 ratings, one for each item of a slate"):
        make("rating_matrix", data=data._replace(ratings=everything_missing), slate_size=3, max_steps=3)


def test_imputed_ratings_are_near_the_true_ones_and_known_ratings_stay(make, sparse):
    data, complete = sparse
    options = {"missing": "impute", "factors": 1, "regularization": 1.0, "bias_regularization": 1.0}
    environment = make("rating_matrix", data=data, **options)
    known, training = ~data.ratings.isnan(), ~data.held_out
    assert torch.equal(environment.ratings[known], data.ratings[known])
    assert environment.spec.num_excluded == 0
    missing = ~known & training[:, None]
    missing[5] = False
    error = (environment.ratings - complete)[missing].square().mean().sqrt()
    by_mean = (item_means(data.ratings[training], ~known[training]).expand(60, 40) - complete)[missing].square().mean().sqrt()
    assert error < 0.6 * by_mean
    report = environment.report()
    assert report["user_model/rmse_model"] < report["user_model/rmse_biases"] < report["user_model/rmse_global_mean"]
    assert report["user_model/share_imputed"] == pytest.approx((~known[training]).double().mean().item())
    assert {"user_model/evaluation_rmse_model", "user_model/evaluation_share_imputed"} <= set(report)


def test_what_training_is_imputed_from_has_nothing_of_held_out_people(make, sparse):
    data, _ = sparse
    other = data.ratings.clone()
    other[data.held_out] = 6.0 - other[data.held_out]
    training = ~data.held_out
    worlds = [make("rating_matrix", data=data._replace(ratings=ratings), missing="impute") for ratings in (data.ratings, other)]
    assert torch.equal(worlds[0].ratings[training], worlds[1].ratings[training])
    assert not torch.equal(worlds[0].ratings[data.held_out], worlds[1].ratings[data.held_out])


def test_random_candidates_that_a_person_may_not_have_rated_are_refused(make, sparse):
    with pytest.raises(DataError, match=r"environment\.num_candidates draws items that a person may not have rated; use 0, or .*impute"):
        make("rating_matrix", data=sparse[0], num_candidates=25)
    make("rating_matrix", data=sparse[0], num_candidates=25, missing="impute")
