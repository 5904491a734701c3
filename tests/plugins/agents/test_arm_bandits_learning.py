"""Where items differ in what they reveal, bandits with coefficients of each item's own learn more; where they do not, shared ones do."""

import pytest
import torch

from recframe.interfaces import PAD, Users
from recframe.testing import ToyTracker, collect, update
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig, LinUCBConfig, ThompsonConfig
from recframe_plugins.agents.bandits.epsilon_greedy import EpsilonGreedy
from recframe_plugins.agents.bandits.linucb import LinUCB
from recframe_plugins.agents.bandits.thompson import Thompson
from tests.plugins.agents.conftest import WORLD_SEED, KnownWorld, world_data

ITEMS, KINDS = 20, 4
BANDITS = {
    "epsilon_greedy": (EpsilonGreedy, EpsilonGreedyConfig, {"epsilon_decay_steps": 3_000}),
    "linucb": (LinUCB, LinUCBConfig, {"alpha": 0.5}),
    "thompson": (Thompson, ThompsonConfig, {}),
}


def kinds_of_people(observation, shown):
    """Person u is of kind u modulo 4 and likes items of that kind, each once. A session has four steps; texts say nothing."""
    again = (observation.history_items == shown.unsqueeze(1)).any(dim=1)
    earned = (observation.user % KINDS == shown % KINDS).float().masked_fill(again, 0.0)
    return earned, observation.history_items[:, 0] != PAD


@pytest.fixture
def anonymous_people():
    data = world_data(ITEMS)
    data = data._replace(users=Users(data.users.ids), contexts=None)
    return data, KnownWorld(data, kinds_of_people)


@pytest.fixture
def similar_texts():
    """People click on the items whose text resembles their profile's, the nearest quarter."""
    data = world_data(60, dim=4)
    similarity = data.users.profiles.vectors @ data.catalog.text_vectors.T
    likes = (similarity >= similarity.quantile(0.75, dim=1, keepdim=True)).float()

    def near(observation, shown):
        return likes[observation.user, shown], torch.ones_like(shown, dtype=torch.bool)

    return data, KnownWorld(data, near)


def learned(world, name, chunks, mean_return, seed=0, **options):
    """Mean return of the greedy policy after that many chunks of four steps of 32 sessions."""
    data, environment = world
    agent, config, quick = BANDITS[name]
    built = agent(config(**quick | options), environment.spec, ToyTracker(environment.spec, data), seed=seed)
    observation = environment.reset(WORLD_SEED)
    for _ in range(chunks):
        rollout, observation = collect(built, environment, observation, 4)
        update(built, {}, rollout)
    return mean_return(built, environment)


@pytest.mark.parametrize("name", BANDITS)
def test_own_coefficients_learn_what_responses_to_one_item_say_about_another(name, anonymous_people, mean_return):
    own = {"text_dims": 1, "response_dims": ITEMS}
    # 2.5 is the best: the first like comes after none to three steps, and each step after it brings another one
    assert learned(anonymous_people, name, 50, mean_return, model="disjoint", **own) > 2.2
    assert learned(anonymous_people, name, 50, mean_return, model="hybrid", **own) > 1.9
    assert learned(anonymous_people, name, 50, mean_return, model="shared", text_dims=1) < 1.5


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.evidence) for seed in (1, 2))])
def test_shared_coefficients_need_fewer_data_where_texts_tell_items_apart(seed, similar_texts, mean_return):
    # all items at random, so that the models learn from the same 256 rewards
    options = {"text_dims": 4, "seed": seed, "epsilon_end": 1.0}
    disjoint = learned(similar_texts, "epsilon_greedy", 2, mean_return, model="disjoint", **options)
    assert learned(similar_texts, "epsilon_greedy", 2, mean_return, model="hybrid", **options) > disjoint + 0.04
