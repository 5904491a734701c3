"""Ranking: every agent with the tag `ranks` gives the best items that may be shown, and begins with the one that it shows."""

import importlib
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.components import Kind
from recframe.interfaces import PAD, Rollout, WholeLog, allowed_items
from recframe.item_agents import ItemAgent, rank_items
from recframe.plugin_loader import registry
from recframe.testing import ConformanceError, ToyEnvironment, ToyTracker, collect, toy_data, toy_observation, toy_spec, update
from recframe.testing.ranking import check_ranking
from recframe.testing.toy import toy_log
from recframe_plugins.agents.bandits.linear_scores import ItemTable
from recframe_plugins.agents.baselines.posterior_greedy import expected_rewards
from recframe_plugins.agents.collaborative.scorer_agent import ScorerAgent
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.wolpertinger import Wolpertinger
from recframe_plugins.agents.tabular.tabular_agent import TabularAgent

DATA = toy_data()
MANY = len(DATA.catalog) + 3
RANKING = {
    name: registry().get(Kind.AGENT, name) for name in registry().names(Kind.AGENT) if "ranks" in registry().get(Kind.AGENT, name).provides
}
DRAWN_OR_TIED = {"random", "posterior_greedy"}
"""Agents that draw anew in each call, or that expect the same of many items."""


def build(name, num_candidates=0, num_excluded=0):
    """The agent as registered, after it learned from a rollout or a log if that is what it learns from."""
    component = RANKING[name]
    module, _, attribute = component.factory.partition(":")
    torch.manual_seed(0)
    spec = toy_spec(DATA, num_candidates=num_candidates, num_excluded=num_excluded)
    config = component.config(**{"bpr_mf": {"epochs": 3}}.get(name, {}))
    agent = getattr(importlib.import_module(module), attribute)(config, spec, state_tracker=ToyTracker(spec, DATA), seed=0)
    if isinstance(agent.experience, Rollout):
        environment = ToyEnvironment(spec, DATA)
        # so long that no two items are equally unknown
        rollout, _ = collect(agent, environment, environment.reset(1), 60)
        update(agent, agent.optimizers(), rollout)
    if isinstance(agent.experience, WholeLog):
        update(agent, agent.optimizers(), toy_log(spec, seed=1, num_sequences=3_000))  # so long that hardly any two items are equally good
    if isinstance(agent, TabularAgent):
        agent.values.uniform_(generator=agent.generator)  # without ties
    agent.prepare_to_act()
    return agent


@pytest.mark.parametrize("name", RANKING)
@pytest.mark.parametrize(("num_candidates", "num_excluded"), [(0, 0), (9, 0), (0, 7), (9, 4)])
def test_the_ranking_begins_with_what_the_agent_shows(name, num_candidates, num_excluded):
    agent = build(name, num_candidates, num_excluded)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=24)
    check_ranking(agent, observation)
    if name not in DRAWN_OR_TIED:
        shown = agent.act(observation, explore=False).slate
        for k in (1, 4, MANY):
            first = agent.rank(observation, k)[:, :1]
            # of items of one score, either may come first
            tied = agent.scores(observation).of(first) == agent.scores(observation).of(shown) if isinstance(agent, ScorerAgent) else False
            assert ((first == shown) | tied).all()


def test_posterior_greedy_ranks_by_expected_rewards():
    agent = build("posterior_greedy")
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=24)
    expected = expected_rewards(agent.model, observation)
    everything = expected.of(agent.rank(observation, agent.spec.num_items))
    assert (everything.diff(dim=1) <= 1e-6).all()
    torch.testing.assert_close(everything[:, :1], expected.of(agent.act(observation, explore=False).slate))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), num_candidates=st.integers(0, 12), num_excluded=st.integers(0, 8), k=st.integers(1, MANY))
def test_rank_items_orders_the_items_that_may_be_shown_by_their_scores(seed, num_candidates, num_excluded, k):
    generator = torch.Generator().manual_seed(seed)
    spec = toy_spec(DATA, num_candidates=num_candidates, num_excluded=num_excluded)
    if num_candidates and num_candidates < 1 + num_excluded:
        num_excluded = 0
        spec = replace(spec, num_excluded=0)
    observation = toy_observation(spec, DATA, generator, users=7)
    scores = torch.rand(7, spec.num_items, generator=generator)
    ranking = rank_items(observation, ItemTable(scores), spec.num_items, k)
    allowed = allowed_items(observation, scores)
    for user in range(7):
        items = [item for item in allowed[user].argsort(descending=True).tolist() if allowed[user, item] > -torch.inf]
        assert ranking[user].tolist() == [*items[:k], *[PAD] * (k - len(items))]


def test_wolpertinger_ranks_its_neighbors_by_value_and_then_by_nearness():
    spec = toy_spec(DATA)
    torch.manual_seed(0)
    agent = Wolpertinger(DDPGConfig(neighbors=4), spec, ToyTracker(spec, DATA), seed=0)
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(3), users=12)
    agent.prepare_to_act()
    ranking = agent.rank(observation, 9)
    with torch.no_grad():
        actor_vectors, critic_vectors = agent.project(agent.working_set.whole)
        unit = torch.nn.functional.normalize
        proposal = agent.actor(observation, actor_vectors)
        nearest = (proposal @ unit(critic_vectors, dim=1).T).argsort(dim=1, descending=True)
        critic = agent.critics.main
        points = unit(critic_vectors, dim=1)[nearest[:, :4]]
        values = critic(critic.state_tracker(observation, critic_vectors), points)
    assert torch.equal(ranking[:, :4], nearest[:, :4].gather(1, values.argsort(dim=1, descending=True)))
    assert torch.equal(ranking[:, 4:], nearest[:, 4:9])


def broken(change):
    """A tabular agent whose rankings are changed."""
    agent = build("q_learning", num_excluded=7)
    right = agent.rank
    agent.rank = lambda observation, k: change(right(observation, k))
    return agent


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ranking: ranking[:, :0], r"rank\(observation, 1\)"),
        (
            torch.zeros_like,
            "fill the places with the items that may be shown, and the rest with PAD|an item twice",
        ),
        (lambda ranking: ranking.clamp(min=0), "and the rest with PAD"),
        (lambda ranking: ranking + MANY, "item numbers from 0 to"),
    ],
)
def test_a_wrong_ranking_is_reported(change, message):
    observation = toy_observation(toy_spec(DATA, num_excluded=7), DATA, torch.Generator().manual_seed(3), users=9)
    with pytest.raises(ConformanceError, match=message):
        check_ranking(broken(change), observation)


def test_a_ranking_of_items_that_may_not_be_shown_is_reported():
    agent = build("q_learning", num_excluded=7)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=9)
    right = agent.rank

    def forbidden(observation, k):
        ranking = right(observation, k)
        return torch.where(observation.excluded[:, :1] == PAD, ranking, torch.cat([observation.excluded[:, :1], ranking[:, 1:]], dim=1))

    agent.rank = forbidden
    with pytest.raises(ConformanceError, match="gave an item that may not be shown"):
        check_ranking(agent, observation)


def tells_scores(name):
    module, _, attribute = RANKING[name].factory.partition(":")
    return getattr(getattr(importlib.import_module(module), attribute), "scored", ItemAgent.scored) is not ItemAgent.scored


@pytest.mark.parametrize("name", filter(tells_scores, RANKING))
def test_the_scores_of_ranked_items_fall_from_the_first_to_the_last(name):
    agent = build(name)
    observation = toy_observation(agent.spec, DATA, torch.Generator().manual_seed(3), users=7)
    agent.eval()
    with torch.no_grad():
        items = agent.rank(observation, 20)
        scores = agent.scores_of_items(observation, items)
    if name == "slate_q":
        assert scores is None
        return
    assert scores.shape == items.shape
    assert (scores.diff(dim=1) <= 1e-5).all()
    assert (scores[:, 0] > scores[:, -1]).all()


def test_agents_of_three_families_tell_scores():
    assert {"dqn", "sequence_model", "actor_critic"} <= set(filter(tells_scores, RANKING))
