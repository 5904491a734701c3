"""Reference policies where leaving dominates: schedules are planned for it, the oracle weighs it, greedy policies lose by it."""

import logging

import numpy as np
import pytest
import torch

import recframe.references.fitting.reference_policies as fitting
from recframe.evaluation.simulated.rollout import rollout
from recframe.experience import ColdItems, RewardSum
from recframe.references.fitting.reference_policies import ReferenceBudget, mean_return, reference_policies
from recframe.references.fitting.schedules import planned_schedules
from recframe.references.fixed_slate import FixedRankingPolicy, FixedSlatePolicy
from recframe.references.oracle import OraclePolicy
from recframe_plugins.rewards.config import RatingConfig
from recframe_plugins.rewards.rating import Rating
from tests.references.rating_worlds import click_reward, rating_data, rating_world

DATA = rating_data(seed=0, people=200, items=150)
REWARDS = click_reward(DATA)
TURNS = 40
# people quit after an item that is similar to one or two of the last five
QUITTING = [
    {"protocol": "no_repetition", "quit_count": 1, "quit_window": 5, "quit_similarity": 0.5},
    {"protocol": "free", "quit_count": 2, "quit_window": 5, "quit_similarity": 0.5},
]


def world(split, options, num_users=256):
    return rating_world(DATA, split, num_users, max_steps=TURNS, **options)


@pytest.fixture(scope="module", params=QUITTING, ids=lambda options: options["protocol"])
def returns(request):
    """Mean returns of the references, on training people and on held-out people, and of the oracle that does not mind leaving."""
    train, evaluation = world("train", request.param), world("evaluation", request.param)
    policies = reference_policies(train, REWARDS, DATA, max_steps=TURNS, seed=0, budget=ReferenceBudget(512, 10_000, 256))
    policies["myopic oracle"] = OraclePolicy(REWARDS, 1)
    return [{name: mean_return(policy, where, REWARDS, TURNS, [5]) for name, policy in policies.items()} for where in (train, evaluation)]


def test_the_best_fixed_slate_keeps_people_who_leave_all_others_that_know_as_little(returns):
    for where in returns:
        assert where["fixed_slate"] > 4 * max(where["random"], where["popular"])


def test_the_oracle_minds_leaving_and_is_the_best(returns):
    for where in returns:
        assert where["oracle"] > 4 * where["myopic oracle"]
        assert where["oracle"] == max(where.values())


def test_greedy_policies_are_myopic_and_lose_their_users(returns):
    for where in returns:
        assert where["fixed_slate"] > 4 * max(where["greedy"], where["posterior_greedy"])


def test_a_schedule_has_the_items_of_the_highest_mean_reward_less_the_cost_of_leaving():
    environment = world("train", QUITTING[0], num_users=60)
    costs = torch.tensor([[0.0], [100.0]])
    schedules = planned_schedules(environment, REWARDS, costs, TURNS, seed=3)
    users = environment.start_evaluation(3)[1]
    for number, schedule in enumerate(schedules):
        clicks = (DATA.ratings[users[number::2]] >= 4).float().mean(dim=0)
        assert int(schedule.slates[0, 0]) == int(clicks.argmax())
    careless, careful = schedules
    assert len(careless.slates) < 10
    assert len(careful.slates) == TURNS
    assert careless.leaving[-1] == 1
    assert not careful.leaving.any()
    assert len(careful.slates.unique()) == TURNS, "an item was repeated"


def among_candidates(split, **options):
    """The world in which people quit after two similar items, with thirty items drawn at each turn of which one is shown."""
    return world(split, QUITTING[1] | {"num_candidates": 30} | options, num_users=160)


def test_where_candidates_are_drawn_a_fixed_ranking_is_planned_that_keeps_people():
    train, evaluation = among_candidates("train"), among_candidates("evaluation")
    warnings = []
    policies = reference_policies(
        train, REWARDS, DATA, max_steps=TURNS, seed=0, budget=ReferenceBudget(160, 5_000, 160), warn=warnings.append
    )
    assert isinstance(policies["fixed_slate"], FixedRankingPolicy)
    assert warnings == []
    for where in (train, evaluation):
        returns = {name: mean_return(policies[name], where, REWARDS, TURNS, [5]) for name in ("fixed_slate", "random", "popular", "greedy")}
        assert returns["fixed_slate"] > 2.5 * max(returns["random"], returns["popular"], returns["greedy"])


def test_a_planned_ranking_is_of_what_everybody_says_less_the_cost_of_leaving():
    """The first two turns in numpy: everybody is shown the best of their own candidates, and all users tell what an item is worth."""
    environment = among_candidates("train")
    (schedule,) = planned_schedules(environment, REWARDS, torch.tensor([[7.0]]), TURNS, seed=3)
    observation = environment.start_evaluation(3)[0]
    for turn in range(2):
        truth = environment.truth()
        worth = (REWARDS.itemwise(truth.signals) - 7.0 * truth.leave).double().sum(dim=0).numpy()
        np.testing.assert_allclose(schedule.rankings[turn].numpy(), worth, rtol=1e-5, atol=1e-3)
        candidates = observation.candidates.numpy()
        best = np.take_along_axis(candidates, worth[candidates].argmax(axis=1)[:, None], axis=1)
        played = FixedRankingPolicy(environment.spec, schedule.rankings)(observation, turn)
        np.testing.assert_array_equal(worth[played.numpy()], worth[best])
        observation = environment.step(played).observation
    assert schedule.rankings.shape == (len(schedule.slates), 150)


def test_a_planned_ranking_knows_nothing_of_items_that_are_held_back():
    environment = ColdItems(0.4, 0).withheld_from(among_candidates("train"))
    (plan,) = planned_schedules(environment, REWARDS, torch.tensor([[0.0]]), TURNS, seed=3)
    for ranking in plan.rankings:
        cold, others = ranking[environment.withheld], ranking[environment.allowed]
        torch.testing.assert_close(cold, others.mean().expand_as(cold), rtol=1e-4, atol=1e-3)
        assert len(others.unique()) > 1


def test_a_planned_ranking_shows_nobody_what_they_were_shown_before():
    environment = among_candidates("train", protocol="no_repetition", num_candidates=60)
    plans = planned_schedules(environment, REWARDS, torch.tensor([[0.0], [100.0]]), TURNS, seed=3)
    # the rankings of a single plan are kept, to be played
    assert [plan.rankings for plan in plans] == [None, None]
    assert plans[1].mean_return > 1.5 * plans[0].mean_return
    (plan,) = planned_schedules(environment, REWARDS, torch.tensor([[100.0]]), TURNS, seed=3)
    slates = rollout(FixedRankingPolicy(environment.spec, plan.rankings), environment, REWARDS, 3, TURNS)
    for user, length in enumerate(slates.lengths.tolist()):
        assert len(slates.slates[:length, user].unique()) == length, "an item was repeated"


def with_missing_ratings():
    """The data without three in ten ratings: these items are never shown to these people."""
    missing = torch.rand(DATA.ratings.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    return DATA._replace(ratings=DATA.ratings.masked_fill(missing, torch.nan))


def planned_among_rated(monkeypatch, rewards, costs, **options):
    """The schedules where people may be shown what they have rated only, and whether all that was played was rated."""
    data = with_missing_ratings()
    environment = rating_world(data, "train", 60, max_steps=TURNS, **options)
    rated, step = [], environment.step

    def watched(slate):
        rated.append(data.ratings[environment.state["user"][:, None], slate].isfinite().all())
        return step(slate)

    monkeypatch.setattr(environment, "step", watched)
    return data, environment, planned_schedules(environment, rewards, costs, TURNS, seed=3), bool(torch.stack(rated).all())


def test_a_plan_shows_nobody_what_is_excluded_for_them(monkeypatch):
    costs = torch.tensor([[0.0], [100.0]])
    _, _, (careless, careful), all_rated = planned_among_rated(monkeypatch, REWARDS, costs, **QUITTING[0])
    assert all_rated
    assert careless.leaving.max() == 1
    assert careful.mean_return > 2 * careless.mean_return


def test_a_plan_among_exclusions_is_of_what_those_who_may_be_shown_an_item_say(monkeypatch):
    """Turn by turn in numpy: the item that is best on average over whom it may be shown to; others get the best that they may."""
    # ratings hardly ever have the same mean
    rewards = RewardSum({"rating": (Rating(RatingConfig()), 1.0)}, DATA.catalog, frozenset({"rating"}))
    options = {"protocol": "no_repetition", "quit_count": 0}
    data, environment, (schedule,), all_rated = planned_among_rated(monkeypatch, rewards, torch.zeros(1, 1), **options)
    assert all_rated
    ratings = data.ratings[environment.start_evaluation(3)[1]].double().numpy()
    open_to, returns = ~np.isnan(ratings), 0.0
    for turn in range(10):
        # -inf where nobody is left who may be shown the item
        sums, counts = np.where(open_to, ratings, 0.0).sum(axis=0), open_to.sum(axis=0)
        means = np.where(counts > 0, sums / counts.clip(min=1), -np.inf)
        assert int(schedule.slates[turn, 0]) == means.argmax()
        shown = np.where(open_to, means, -np.inf).argmax(axis=1)
        returns += ratings[np.arange(60), shown].mean()
        open_to[np.arange(60), shown] = False
    assert float(schedule.to_go[0] - schedule.to_go[10]) == pytest.approx(returns, rel=1e-5)


def test_what_leaving_costs_is_what_those_who_stay_get_from_the_next_turn_on():
    environment = world("train", {"protocol": "fixed_length"}, num_users=60)
    schedule = planned_schedules(environment, REWARDS, torch.zeros(1, 1), TURNS, seed=3)[0]
    clicks = (DATA.ratings[environment.start_evaluation(3)[1]] >= 4).float().mean(dim=0)[schedule.slates[:, 0]]
    torch.testing.assert_close(schedule.to_go[:-1], clicks.flip(0).cumsum(0).flip(0))
    assert schedule.mean_return == pytest.approx(float(clicks.sum()), rel=1e-5)
    # of the last turns little is left to lose, but a turn has its mean reward at least
    expected = torch.cat([schedule.to_go[1:-1], torch.zeros(1)]).clamp(min=float(clicks.mean()))
    torch.testing.assert_close(schedule.costs_of_leaving, expected)


def test_a_plan_never_repeats_what_bores(make_world):
    boring = make_world()
    schedule = planned_schedules(boring.environment("train", num_users=128), boring.rewards, torch.zeros(1, 1), 12, seed=3)[0].slates
    assert schedule.shape == (12, 1)
    for turn in range(1, 12):
        assert schedule[turn] not in schedule[max(0, turn - 5) : turn]


def test_a_fixed_slate_below_random_is_reported(monkeypatch, caplog):
    environment = world("train", QUITTING[1])
    worst = DATA.ratings.mean(dim=0).argmin()[None]

    def bad_search(environment, *_):
        return FixedSlatePolicy(environment.spec, worst, torch.zeros(150))

    monkeypatch.setattr(fitting, "best_fixed_slate", bad_search)
    with caplog.at_level(logging.WARNING):
        policies = reference_policies(environment, REWARDS, DATA, max_steps=TURNS, seed=0, budget=ReferenceBudget(64, 1_000, 64))
    assert "fixed_slate is not the best that needs no personalisation" in caplog.text
    assert "random returns" in caplog.text
    assert rollout(policies["fixed_slate"], environment, REWARDS, 0, 1).slates.unique().tolist() == [int(worst)]
