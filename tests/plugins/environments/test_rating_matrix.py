"""Rating matrix: responses come from the matrix, sessions end by the quit rule, and reference policies are optimal."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from recframe.evaluation.simulated.rollout import rollout
from recframe.experience.rewards import RewardSum
from recframe.interfaces import Data, DataError
from recframe.references.fitting.reference_policies import ReferenceBudget, reference_policies
from recframe.references.oracle import OraclePolicy
from recframe.references.popular import PopularPolicy
from recframe.references.random import RandomPolicy
from recframe.testing import toy_data
from recframe_plugins.datasets.rating_matrix.rating_matrix import drawn_users, share_of_fans
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.rating_matrix import RatingMatrixEnvironment
from recframe_plugins.rewards.config import RatingConfig
from recframe_plugins.rewards.rating import Rating

SMALL = ReferenceBudget(log_sessions=256, log_slates=4_000, sessions=128)


@pytest.fixture
def rewards(toy_world):
    """A reward of one per rating point."""
    return RewardSum({"rating": (Rating(RatingConfig()), 1.0)}, toy_world.catalog, frozenset({"rating"}))


@pytest.fixture
def stars(toy_world):
    """A rating of every item by every user, as integers from 1 to 5."""
    return toy_world._replace(ratings=torch.randint(1, 6, (60, 40), generator=torch.Generator().manual_seed(4)).float())


@pytest.fixture
def two_tastes(toy_world):
    """Items 0 to 19 have equal ratings, and so have the others; by text, items are similar if their numbers are both even or both odd."""
    generator = torch.Generator().manual_seed(2)
    likes, noise = torch.rand(60, 2, generator=generator), torch.randn(60, 40, generator=generator)
    ratings = torch.cat([likes[:, :1].expand(60, 20), likes[:, 1:].expand(60, 20)], dim=1) + 0.01 * noise
    return toy_world._replace(
        ratings=ratings, catalog=replace(toy_world.catalog, text_vectors=torch.eye(2).repeat(20, 1) + 0.01 * noise[:40, :2])
    )


def test_responses_come_from_the_matrix(make, toy_world, random_slates):
    environment = make("rating_matrix", slate_size=3, quit_count=0)
    environment.reset(0)
    for slate in random_slates(environment, 6):
        own = toy_world.ratings[environment.state["user"]]
        truth = environment.truth()
        signals = environment.step(slate).response.signals
        assert torch.equal(truth.signals["rating"], own)
        for name in ("click", "rating", "purchase"):
            assert torch.equal(signals[name], truth.signals[name].gather(1, slate))


@pytest.mark.parametrize(
    ("options", "click", "purchase"),
    [
        # from 1 to 5, halfway is 3 and three quarters of the way is 4
        ({}, 3, 4),
        ({"click_threshold": 2.0, "purchase_threshold": 5.0}, 2, 5),
        ({"click_threshold": 0.0}, 1, 4),
    ],
)
def test_clicks_and_purchases_are_ratings_at_or_above_a_threshold(make, stars, options, click, purchase):
    environment = make("rating_matrix", data=stars, **options)
    environment.reset(0)
    truth = environment.truth().signals
    assert truth["rating"].unique().tolist() == [1, 2, 3, 4, 5]
    assert torch.equal(truth["click"], (truth["rating"] >= click).float())
    assert torch.equal(truth["purchase"], (truth["rating"] >= purchase).float())


@pytest.mark.parametrize("split", ["train", "evaluation"])
def test_users_of_a_split_are_uniform_and_identified_by_their_row(make, toy_world, split):
    held_out = torch.arange(60) % 2 == 0
    environment = make("rating_matrix", data=toy_world._replace(held_out=held_out), num_users=4800, split=split)
    user = environment.reset(0).user
    counts = user.bincount(minlength=60)
    assert torch.equal(counts > 0, held_out if split == "evaluation" else ~held_out)
    # the expected number of each is 160
    assert counts[counts > 0].min() > 100
    assert counts.max() < 220
    assert torch.equal(environment.truth().signals["rating"], toy_world.ratings[user])


def test_fixed_fifth_is_held_out_if_the_dataset_holds_out_nobody(make):
    met = {split: set(make("rating_matrix", num_users=4800, split=split).reset(0).user.tolist()) for split in ("train", "evaluation")}
    assert (len(met["train"]), len(met["evaluation"])) == (48, 12)
    assert not met["train"] & met["evaluation"]


def test_popular_items_are_no_better_than_random_on_noise(rewards):
    """Popularity that included evaluation users would carry information about their noise."""
    gains = []
    for seed in range(8):
        ratings = torch.rand(60, 200, generator=torch.Generator().manual_seed(seed))
        held_out = drawn_users(60, 0.2, seed)
        catalog = toy_data(num_items=200).catalog
        data = Data(replace(catalog, popularity=share_of_fans(ratings[~held_out])), ratings=ratings, held_out=held_out)
        config = RatingMatrixEnvironmentConfig(max_steps=20)
        environment = RatingMatrixEnvironment(config, data, num_users=200, history_length=5, split="evaluation", device="cpu")
        policies = (PopularPolicy(environment.spec, data.catalog.popularity), RandomPolicy(environment.spec, seed))
        popular, random = (rollout(policy, environment, rewards, 0, 20).returns.double().mean() for policy in policies)
        gains.append(popular - random)
    gains = torch.stack(gains)
    # 20 items of variance 1/12 for each of 12 people: a standard error of 0.13 over the eight matrices
    assert abs(gains.mean()) < 0.4


@pytest.mark.parametrize(("slate_size", "max_steps", "num_candidates"), [(1, 7, 0), (3, 4, 0), (2, 3, 10)])
def test_oracle_earns_the_maximum(make, toy_world, rewards, slate_size, max_steps, num_candidates):
    options = {"slate_size": slate_size, "max_steps": max_steps, "num_candidates": num_candidates, "protocol": "fixed_length"}
    environment = make("rating_matrix", num_users=32, split="evaluation", **options)
    users = environment.start_evaluation(3)[1]
    returns = rollout(OraclePolicy(rewards, slate_size), environment, rewards, 3, max_steps).returns
    best = toy_world.ratings[users].topk(slate_size * max_steps, dim=1).values.sum(dim=1)
    if num_candidates:
        assert (returns < best).all(), "some user was shown all of their best items"
    else:
        torch.testing.assert_close(returns, best)


def test_fixed_slate_reference_is_the_best_fixed_slate(make, toy_world):
    # few items, so that all slates can be tried; some are liked by more users, but none by all
    items, length = 9, 4
    generator = torch.Generator().manual_seed(3)
    ratings = torch.rand(60, items, generator=generator) + 0.25 * torch.randperm(items, generator=generator)
    catalog = toy_world.catalog
    few = replace(
        catalog,
        ids=catalog.ids[:items],
        texts=catalog.texts[:items],
        attributes=catalog.attributes[:items],
        popularity=catalog.popularity[:items],
        text_vectors=catalog.text_vectors[:items],
    )
    data = toy_world._replace(catalog=few, ratings=ratings)
    rewards = RewardSum({"rating": (Rating(RatingConfig()), 1.0)}, few, frozenset({"rating"}))
    train, evaluation = (
        make("rating_matrix", data=data, num_users=256, split=split, max_steps=length, protocol="fixed_length")
        for split in ("train", "evaluation")
    )
    policies = reference_policies(train, rewards, data, max_steps=length, seed=0, budget=SMALL)
    slates = rollout(policies["fixed_slate"], train, rewards, 0, length).slates
    assert (slates == slates[:, :1]).all(), "one list for everybody"
    means = ratings[train.people].mean(dim=0)
    best = max(combinations(range(items), length), key=lambda some: means[list(some)].sum().item())
    assert sorted(slates[:, 0, 0].tolist()) == list(best)
    returns = {name: rollout(policy, evaluation, rewards, 5, length).returns.mean() for name, policy in policies.items()}
    users = evaluation.start_evaluation(5)[1]
    torch.testing.assert_close(returns["oracle"], ratings[users].topk(length, dim=1).values.sum(dim=1).mean())
    torch.testing.assert_close(returns["fixed_slate"], ratings[users][:, best].sum(dim=1).mean())
    assert returns["random"] < returns["fixed_slate"] < returns["oracle"]


@pytest.mark.parametrize("protocol", ["free", "no_repetition"])
@pytest.mark.parametrize(("similarity", "similar", "other"), [("ratings", [0, 5, 11, 3], 21), ("text", [0, 22, 6, 34], 21)])
def test_user_quits_after_too_many_similar_items(make, two_tastes, protocol, similarity, similar, other):
    options = {"protocol": protocol, "quit_count": 2, "quit_window": 3, "similarity": similarity}
    environment = make("rating_matrix", data=two_tastes, **options)
    environment.reset(0)

    def show(item):
        expected = environment.truth().leave[:, item]
        terminated = environment.step(torch.full((16, 1), item)).terminated
        assert torch.equal(expected, terminated.float())
        return bool(terminated.all())

    assert [show(item) for item in similar[:3]] == [False, False, True]
    # new users: two similar items among the last three are too many, but two other items in between are enough
    assert [show(item) for item in (similar[0], similar[1], other, similar[2])] == [False, False, False, True]
    assert [show(item) for item in (similar[0], other, other + 2, similar[1], similar[2])] == [False] * 5


def test_items_of_a_slate_are_compared_with_items_shown_before_the_slate(make, two_tastes):
    environment = make("rating_matrix", data=two_tastes, slate_size=2, quit_count=2, quit_window=4)
    environment.reset(0)
    slates = torch.tensor([[0, 1], [20, 21], [30, 5]])
    assert [environment.step(slate.expand(16, 2)).terminated.all().item() for slate in slates] == [False, False, True]


@pytest.mark.parametrize("options", [{"quit_count": 0, "protocol": "free"}, {"quit_count": 1, "protocol": "fixed_length"}], ids=str)
def test_nobody_quits_without_the_rule_or_under_fixed_length(make, two_tastes, options):
    environment = make("rating_matrix", data=two_tastes, max_steps=6, **options)
    environment.reset(0)
    for turn in range(6):
        assert not environment.truth().leave.any()
        step = environment.step(torch.full((16, 1), turn))
        assert not step.terminated.any()
        assert (step.truncated == (turn == 5)).all()


def test_sessions_are_longer_if_all_tastes_are_served_than_if_only_one_is(make, two_tastes, rewards):
    environment = make("rating_matrix", data=two_tastes, protocol="no_repetition", num_users=200)
    greedy = rollout(OraclePolicy(rewards, 1), environment, rewards, 0, 20).lengths.double().mean()
    varied = rollout(RandomPolicy(environment.spec, 0), environment, rewards, 0, 20).lengths.double().mean()
    patient = rollout(OraclePolicy(rewards, 1, leave_penalty=10.0), environment, rewards, 0, 20).lengths.double().mean()
    assert greedy == 4
    assert greedy < varied < patient == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratings": None}, "environment=rating_matrix needs a rating of every item by every user; this dataset has none"),
        ({"ratings": torch.rand(60, 39)}, r"the rating matrix has the shape \[60, 39\]; 60 users and 40 items need \[60, 40\]"),
        ({"ratings": torch.rand(59, 40)}, r"the rating matrix has the shape \[59, 40\]; 60 users and 40 items need \[60, 40\]"),
        ({"ratings": torch.rand(60)}, r"the rating matrix has the shape \[60\]"),
        ({"ratings": torch.rand(60, 40).index_fill(1, torch.tensor([7]), torch.inf)}, "the rating matrix holds inf for user 0 and item 7"),
        (
            {"ratings": torch.full((60, 40), 3.0)},
            "the rating matrix of 60 users distinguishes no items: everybody rates all items the same",
        ),
        ({"ratings": torch.rand(60, 1).expand(60, 40)}, "distinguishes no items"),
        ({"ratings": torch.rand(60, 39), "users": None}, r"\[60, 39\]; 60 users and 40 items need"),
        ({"ratings": torch.rand(1, 40), "users": None}, "simulation needs at least 2 people, .* the data has 1"),
    ],
)
def test_unusable_matrix_is_refused_in_one_line(make, toy_world, change, message):
    with pytest.raises(DataError, match=message) as refused:
        make("rating_matrix", data=toy_world._replace(**change))
    assert "\n" not in str(refused.value)


def test_options_that_the_data_does_not_support_are_refused_in_one_line(make, toy_world):
    without_vectors = toy_world._replace(catalog=replace(toy_world.catalog, text_vectors=None))
    with pytest.raises(DataError, match=r"environment.similarity is 'text', but the catalogue has no text vectors; use 'ratings'"):
        make("rating_matrix", data=without_vectors, similarity="text")
    make("rating_matrix", data=without_vectors, similarity="text", quit_count=0)
    with pytest.raises(ValueError, match=r"environment.quit_count is 6, but environment.quit_window holds 5"):
        make("rating_matrix", quit_count=6)
