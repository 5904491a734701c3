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
# which kinds of people like which item: about a third of the items each, and no two kinds the same ones
LIKES = (torch.rand(KINDS, ITEMS, generator=torch.Generator().manual_seed(1)) < 0.35).float()


def kinds_of_people(observation, shown):
    """Person u is of kind u modulo 4 and likes that kind's items, each once. A session has four steps; texts say nothing."""
    again = (observation.history_items == shown.unsqueeze(1)).any(dim=1)
    earned = LIKES[observation.user % KINDS, shown].masked_fill(again, 0.0)
    return earned, observation.history_items[:, 0] != PAD


@pytest.fixture
def anonymous_people():
    data = world_data(ITEMS)
    data = data._replace(users=Users(data.users.ids), contexts=None)
    return data, KnownWorld(data, kinds_of_people)


@pytest.fixture
def similar_texts():
    """People click on the items whose text resembles their profile's, the nearest quarter."""
    data = world_data(ITEMS, dim=4)
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


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", BANDITS)
def test_own_coefficients_learn_what_responses_to_one_item_say_about_another(name, seed, anonymous_people, mean_return):
    own = {"text_dims": 2, "response_dims": ITEMS, "seed": seed}
    disjoint = learned(anonymous_people, name, 50, mean_return, model="disjoint", **own)
    hybrid = learned(anonymous_people, name, 50, mean_return, model="hybrid", **own)
    blind = learned(anonymous_people, name, 50, mean_return, model="disjoint", text_dims=2, seed=seed)
    shared = learned(anonymous_people, name, 50, mean_return, model="shared", text_dims=2, seed=seed)
    print(name, seed, disjoint, hybrid, blind, shared)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", BANDITS)
def test_shared_coefficients_need_fewer_data_where_texts_tell_items_apart(name, seed, similar_texts, mean_return):
    options = {"text_dims": 4, "seed": seed}
    hybrid = learned(similar_texts, name, 3, mean_return, model="hybrid", **options)
    disjoint = learned(similar_texts, name, 3, mean_return, model="disjoint", **options)
    print(name, seed, hybrid, disjoint)
