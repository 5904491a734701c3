"""Reference policies where leaving dominates: schedules are planned for it, the oracle weighs it, greedy policies lose by it."""

import logging

import pytest
import torch

import recframe.references.fitting.reference_policies as fitting
from recframe.evaluation.simulated.rollout import rollout
from recframe.references.fitting.reference_policies import ReferenceBudget, mean_return, reference_policies
from recframe.references.fitting.schedules import planned_schedules
from recframe.references.fixed_slate import FixedSlatePolicy
from recframe.references.oracle import OraclePolicy
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
