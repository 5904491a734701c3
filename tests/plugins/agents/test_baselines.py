"""Baseline agents: popular items, one list for all users, and the greedy choice of a learned reward."""

import copy
from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD, NoExperience, Rollout, best_items
from recframe.plugin_loader import registry
from recframe.testing import (
    ToyEnvironment,
    ToyTracker,
    check_component,
    collect,
    toy_data,
    toy_observation,
    toy_spec,
    toy_transition,
    update,
)
from recframe_plugins.agents.baselines.config import FixedSlateConfig, GreedyRewardConfig, PopularConfig
from recframe_plugins.agents.baselines.fixed_slate import FixedSlate
from recframe_plugins.agents.baselines.greedy_reward import GreedyReward
from recframe_plugins.agents.baselines.popular import Popular
from recframe_plugins.agents.baselines.random import RandomAgent
from tests.agent_variants import check_variant

DATA = toy_data()


def with_popularity(values):
    return DATA._replace(catalog=replace(DATA.catalog, popularity=torch.tensor(values)))


def build(agent, config, data=DATA, **choices):
    spec = toy_spec(data, **choices)
    return agent(config, spec, ToyTracker(spec, data), seed=0)


def fresh(spec, users=3):
    """Observations of users with empty histories."""
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=users)
    observation.history_items[:] = PAD
    return observation


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("popular", {}),
        ("greedy_reward", {"text_dims": 4}),
        ("posterior_greedy", {}),
        ("fixed_slate", {}),
        ("fixed_slate", {"item_ids": ["item-3", "item-0", "item-9"]}),
    ],
)
def test_baselines_conform(name, options):
    component = registry().get("agent", name)
    assert component.provides >= {"slates"}
    (check_variant if "item_ids" in options else check_component)(component, component.config(**options))


def test_copies_of_a_tracker_share_its_data():
    tracker = ToyTracker(toy_spec(DATA), DATA)
    assert tracker.data is DATA
    assert copy.deepcopy(tracker).data is DATA


POPULARITY = [float(item % 20) for item in range(40)]  # items 19 and 39 are the most popular, then 18 and 38


def popular(**choices):
    return build(Popular, PopularConfig(), with_popularity(POPULARITY), **choices)


def test_popular_items_come_in_order_and_ties_in_the_order_of_the_catalogue():
    agent = popular(slate_size=3)
    for explore in (True, False):
        assert agent.act(fresh(agent.spec), explore).slate.tolist() == [[19, 39, 18]] * 3
    assert agent.experience == NoExperience()


def test_items_shown_recently_come_last():
    agent = popular(slate_size=3)
    observation = fresh(agent.spec)
    observation.history_items[1, -2:] = torch.tensor([39, 18])
    observation.history_items[2, -2:] = torch.tensor([39, 39])
    assert agent.act(observation, explore=False).slate.tolist() == [[19, 39, 18], [19, 38, 17], [19, 18, 38]]


def test_the_most_popular_items_come_again_when_all_allowed_items_were_shown():
    agent = popular(num_candidates=3)
    observation = fresh(agent.spec)
    observation.candidates = torch.tensor([[5, 7, PAD], [5, 7, 6], [5, 7, 19]])
    observation.history_items[:, -2:] = torch.tensor([5, 7])
    observation.excluded = torch.tensor([[PAD], [PAD], [19]])
    assert agent.act(observation, explore=False).slate.tolist() == [[7], [6], [7]]


def some_observations(num_candidates=0, num_excluded=0, users=200):
    spec = toy_spec(DATA, slate_size=3, num_candidates=num_candidates, num_excluded=num_excluded)
    return toy_observation(spec, DATA, torch.Generator().manual_seed(1), users=users)


RESTRICTED = [(0, 0), (0, 4), (9, 0), (9, 4), (0, 34), (40, 34)]


@pytest.mark.parametrize(("num_candidates", "num_excluded"), RESTRICTED)
def test_popular_slates_equal_those_of_a_ranking_of_the_whole_catalogue(num_candidates, num_excluded):
    agent = popular(slate_size=3)
    observation = some_observations(num_candidates, num_excluded)
    place = torch.empty(40)
    place[torch.tensor(POPULARITY).argsort(descending=True, stable=True)] = torch.arange(40.0)
    seen = (observation.history_items.unsqueeze(2) == torch.arange(40)).any(dim=1)
    assert torch.equal(agent.act(observation, explore=False).slate, best_items(observation, -(place + 40 * seen), 3))


@pytest.mark.parametrize(("num_candidates", "num_excluded"), RESTRICTED)
@pytest.mark.parametrize("options", [{"length": 3}, {"length": 8}, {"length": 40}, {"item_ids": ["item-7", "item-3", "item-30", "item-5"]}])
def test_fixed_slates_equal_those_of_an_order_of_the_whole_catalogue(options, num_candidates, num_excluded):
    agent = build(FixedSlate, FixedSlateConfig(**options), slate_size=3)
    rewarded(agent, shown=[[1, 2, 30], [1, 3, 12], [5, 4, 1]], rewards=[[2.0, 3.0, 4.0], [2.0, 0.0, 1.0], [2.0, 0.5, 1.0]])
    observation = some_observations(num_candidates, num_excluded)
    observation.history_items[::2, -1] = agent.item_list.items.repeat(100)[:100]
    listed, ranking = agent.item_list.items.tolist(), agent.mean_rewards().argsort(descending=True, stable=True).tolist()
    order = torch.empty(200, 40)
    for user, last in enumerate(observation.history_items[:, -1].tolist()):
        start = listed.index(last) + 1 if last in listed else 0
        rest = [item for item in ranking if item not in listed]
        order[user, listed[start:] + listed[:start] + rest] = torch.arange(40.0)
    assert torch.equal(agent.act(observation, explore=False).slate, best_items(observation, -order, 3))


def test_a_session_without_candidates_gets_valid_items():
    observation = some_observations(num_candidates=5)
    observation.candidates[:] = PAD
    for agent in (popular(slate_size=3), build(FixedSlate, FixedSlateConfig(), slate_size=3)):
        assert (agent.act(observation, explore=False).slate >= 0).all()


def test_a_learned_list_is_kept_until_rewards_are_learned_or_loaded():
    agent, other = (build(FixedSlate, FixedSlateConfig(length=3), slate_size=2) for _ in range(2))
    item_list = agent.item_list
    agent.act(fresh(agent.spec), explore=False)
    assert agent.item_list is item_list
    rewarded(agent, shown=[[6, 9]], rewards=[[3.0, 2.0]])
    assert agent.item_list.items.tolist() == [6, 0, 1]
    assert other.item_list.items.tolist() == [0, 1, 2]
    other.load_state_dict(agent.state_dict())
    assert other.item_list.items.tolist() == [6, 0, 1]


def rewarded(agent, shown, rewards):
    """Learn from one rollout `[1, B]` in which the items `shown` `[B, K]` earned `rewards` `[B, K]`."""
    transition = toy_transition(agent.spec, DATA, torch.Generator().manual_seed(0), users=len(shown))
    transition.slate, transition.item_reward = torch.tensor(shown), torch.tensor(rewards)
    update(agent, {}, transition.unsqueeze(0))


def test_the_list_holds_the_items_of_the_highest_shrunk_means():
    agent = build(FixedSlate, FixedSlateConfig(length=3, shrinkage=2.0), slate_size=2)
    rewarded(agent, shown=[[1, 2], [1, 3], [1, 4]], rewards=[[2.0, 3.0], [2.0, 0.0], [2.0, 0.0]])
    overall = 9.0 / 6
    expected = torch.full((40,), overall, dtype=torch.float64)
    for item, total, count in ((1, 6.0, 3), (2, 3.0, 1), (3, 0.0, 1), (4, 0.0, 1)):
        expected[item] = (total + 2 * overall) / (count + 2)
    torch.testing.assert_close(agent.mean_rewards(), expected)
    # item 2, shown once for 3, is still ahead of item 1, shown three times for 2; item 0 was never shown and has the overall mean
    assert agent.item_list.items.tolist() == [2, 1, 0]
    rewarded(agent, shown=[[1, 2], [1, 2]], rewards=[[2.0, 0.0], [2.0, 0.0]])
    assert agent.item_list.items[0] == 1
    assert agent.experience == Rollout()


def test_an_untrained_list_holds_the_first_items_of_the_catalogue():
    agent = build(FixedSlate, FixedSlateConfig(length=4), slate_size=2)
    assert agent.act(fresh(agent.spec), explore=False).slate.tolist() == [[0, 1]] * 3


def given(ids, **choices):
    return build(FixedSlate, FixedSlateConfig(item_ids=[f"item-{number}" for number in ids]), **choices)


def test_a_list_goes_on_after_the_item_shown_last_and_starts_again_at_its_end():
    agent = given([7, 3, 30, 12, 5], slate_size=2)
    observation, seen = fresh(agent.spec), []
    for explore in (False, True, False, True, False):
        slate = agent.act(observation, explore).slate
        observation.history_items = torch.cat([observation.history_items, slate], dim=1)[:, -5:]
        seen += slate[0].tolist()
        assert (slate == slate[0]).all()
    assert seen == [7, 3, 30, 12, 5, 7, 3, 30, 12, 5]
    observation.history_items[:, -1] = 20  # not on the list
    assert agent.act(observation, explore=False).slate.tolist() == [[7, 3]] * 3
    assert agent.experience == NoExperience()


def test_the_first_allowed_items_of_the_list_are_shown():
    agent = given([7, 3, 30], slate_size=2, num_candidates=4)
    observation = fresh(agent.spec)
    observation.candidates = torch.tensor([[30, 1, 7, 2], [8, 9, 3, PAD], [7, 3, 30, 11]])
    observation.excluded = torch.tensor([[PAD], [PAD], [7]])
    observation.history_items[2, -1] = 3
    assert agent.act(observation, explore=False).slate.tolist() == [[7, 30], [3, 8], [30, 3]]


def test_a_list_is_learned_from_random_slates():
    agent = build(FixedSlate, FixedSlateConfig(), slate_size=3, num_candidates=6)
    random = build(RandomAgent, None, slate_size=3, num_candidates=6)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(0), users=50)
    for agent_decides, random_decides in zip(agent.act(observation, True), random.act(observation, True), strict=True):
        assert torch.equal(agent_decides, random_decides)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"item_ids": ["item-1", "nonesuch", "item-2"]},
            "agent.item_ids: no item of the catalogue has the id 'nonesuch'",
        ),
        ({"item_ids": ["item-1", "item-2", "item-1"]}, "agent.item_ids: 'item-1' is listed more than once"),
        ({"item_ids": ["item-1"]}, "agent.item_ids: 1 items are listed, but a slate has 2"),
        ({"length": 1}, "agent.length is 1, but a slate has 2 items"),
    ],
)
def test_an_invalid_list_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(FixedSlate, FixedSlateConfig(**options), slate_size=2)


def test_greedy_reward_repeats_items_in_training_as_often_as_configured():
    agent = build(GreedyReward, GreedyRewardConfig(text_dims=2, repeats=0.3), slate_size=2)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=6)[5:].expand(10_000).clone()
    history = observation.history_items[0]
    assert len(history.unique()) == 5
    assert PAD not in history
    slate = agent.act(observation, explore=True).slate
    assert (slate[:, 0] != slate[:, 1]).all()
    repeated = torch.isin(slate, history).any(dim=1).float().mean()
    # by chance two draws of forty hold at least one of the five; a repeat is impossible if its item is in the slate already (1 in 20)
    by_chance = 1 - (35 / 40) * (34 / 39)
    assert float(repeated) == pytest.approx(by_chance + (1 - by_chance) * 0.3, abs=0.02)
    observation.excluded = history[:3].expand(10_000, -1)
    assert not torch.isin(agent.act(observation, explore=True).slate, history[:3]).any()


def learn(agent, environment, chunks):
    observation = environment.reset(1_000_003)
    for _ in range(chunks):
        rollout, observation = collect(agent, environment, observation, 4)
        update(agent, {}, rollout)


def clicks(agent, environment, steps=60):
    """Mean clicks on a slate without exploration."""
    observation, total = environment.reset(12345), 0.0
    agent.prepare_to_act()
    for _ in range(steps):
        step = environment.step(agent.act(observation, explore=False).slate)
        total += float(step.response.signals["click"].sum(dim=1).mean())
        observation = step.observation
    return total / steps


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
def test_a_fixed_slate_finds_the_items_that_all_users_like(seed):
    spec = toy_spec(DATA, num_users=64, slate_size=2)
    environment = ToyEnvironment(spec, DATA)
    environment.click_probability[:, [5, 26]] = 0.95
    agent = FixedSlate(FixedSlateConfig(length=2), spec, ToyTracker(spec, DATA), seed=seed)
    learn(agent, environment, 20)
    assert sorted(agent.item_list.items.tolist()) == [5, 26]
    assert clicks(agent, environment) > clicks(RandomAgent(None, spec, None, seed=seed), environment) + 0.5


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.evidence)])
def test_greedy_reward_finds_the_items_that_each_user_likes(seed):
    spec = toy_spec(DATA, num_users=64, slate_size=2)
    environment, tracker = ToyEnvironment(spec, DATA), ToyTracker(spec, DATA)
    agent = GreedyReward(GreedyRewardConfig(text_dims=5), spec, tracker, seed=seed)
    learn(agent, environment, 20)
    assert clicks(agent, environment) > clicks(RandomAgent(None, spec, None, seed=seed), environment) + 0.4


def test_greedy_reward_does_not_plan(patience_game, mean_return):
    data, environment = patience_game
    agent = GreedyReward(GreedyRewardConfig(), environment.spec, ToyTracker(environment.spec, data), seed=0)
    learn(agent, environment, 20)
    assert mean_return(agent, environment) == pytest.approx(0.6)
