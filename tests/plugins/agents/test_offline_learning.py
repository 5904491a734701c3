"""From the log of a poor policy, offline agents learn a better policy than the one that imitates it.

The log is of `patience_game` of conftest.py: its users were mostly shown BAIT, which brings 0.6 and ends the session; a third were shown
INVEST, which brings nothing, and some of these HARVEST after it, which brings 1.
"""

import pytest
import torch

from recframe.interfaces import Log, Replay
from recframe.logs import LoggedTransitions
from recframe.testing import update
from recframe_plugins.agents.offline.bcq import BCQ
from recframe_plugins.agents.offline.config import (
    BCQConfig,
    CQLConfig,
    CRRConfig,
    IQLConfig,
    SA2CConfig,
    SQNConfig,
    TD3BCConfig,
    TopKReinforceConfig,
)
from recframe_plugins.agents.offline.cql import CQL
from recframe_plugins.agents.offline.crr import CRR
from recframe_plugins.agents.offline.iql import IQL
from recframe_plugins.agents.offline.sa2c import SA2C
from recframe_plugins.agents.offline.sqn import SQN
from recframe_plugins.agents.offline.td3_bc import TD3BC
from recframe_plugins.agents.offline.top_k_reinforce import TopKReinforce
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

pytestmark = pytest.mark.slow
BAIT, INVEST, HARVEST = 0, 1, 2
SESSIONS = 3_000
FIRST = torch.tensor([0.42, 0.34, 0.06, 0.06, 0.06, 0.06])
SECOND = torch.tensor([0.30, 0.02, 0.38, 0.10, 0.10, 0.10])
WELL_CONTINUED = torch.tensor([0.05, 0.05, 0.75, 0.05, 0.05, 0.05])
IMITATION, BEST = 0.6, 1.0
"""Returns of what the log shows most often in each state, and of the best policy."""


def poor_log(second_shares):
    """Sessions of one item, or of two if the first one is INVEST, with clicks as rewards."""
    generator = torch.Generator().manual_seed(7)
    first, second = (torch.multinomial(shares, SESSIONS, replacement=True, generator=generator) for shares in (FIRST, second_shares))
    invested = first == INVEST
    lengths = 1 + invested.long()
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    items = torch.zeros(int(offsets[-1]), dtype=torch.int64)
    items[offsets[:-1]] = first
    items[offsets[1:][invested] - 1] = second[invested]
    rewards = torch.zeros(len(items))
    rewards[offsets[:-1]] = 0.6 * (first == BAIT)
    rewards[offsets[1:][invested] - 1] = (second[invested] == HARVEST).float()
    return Log(
        users=torch.randint(6, (SESSIONS,), generator=generator).repeat_interleave(lengths),
        items=items,
        timestamps=torch.arange(len(items)),
        signals=("click",),
        feedback=rewards[:, None].clone(),
        offsets=offsets,
        num_items=6,
        num_users=6,
        rewards=rewards,
    )


def with_return(log, transitions, rows, plan):
    """The batch of these rows, with returns of several steps if the agent asks for them; sessions have at most two."""
    batch = transitions.at(rows)
    if plan.n_step > 1:
        following = (rows + 1).clamp(max=len(log) - 1)
        batch.reward = batch.reward + plan.gamma * torch.where(log.last[rows], 0.0, log.rewards[following])
        batch.discount, batch.terminated = torch.full_like(batch.reward, plan.gamma**2), torch.ones_like(batch.terminated)
    return batch


@pytest.fixture
def learned(patience_game):
    def run(factory, config, second_shares=SECOND, updates=200):
        data, environment = patience_game
        torch.manual_seed(0)
        tracker = MeanTracker(MeanConfig(history_length=3, item_dim=16, state_dim=16), environment.spec, data)
        agent = factory(config, environment.spec, tracker, seed=0)
        assert isinstance(agent.experience, Replay)
        log = poor_log(second_shares)
        transitions, generator, optimizers = LoggedTransitions(log, 3), torch.Generator().manual_seed(3), agent.optimizers()
        for _ in range(updates):
            rows = torch.randint(len(log), (128,), generator=generator)
            update(agent, optimizers, with_return(log, transitions, rows, agent.experience))
        return agent, environment

    return run


FAST = {"learning_rate": 1e-2, "gamma": 0.97}
Q = FAST | {"target_update_interval": 20, "loss": "mse"}
BETTER = {
    "cql": (CQL, CQLConfig(**Q, alpha=0.05)),
    "bcq": (BCQ, BCQConfig(**Q, threshold=0.2)),
    "crr": (CRR, CRRConfig(**Q, beta=0.1)),
    "crr_binary": (CRR, CRRConfig(**Q, weighting="binary")),
    "iql": (IQL, IQLConfig(**Q, beta=10.0, expectile=0.95)),
    "td3_bc": (
        TD3BC,
        TD3BCConfig(
            gamma=0.97, critic_learning_rate=1e-2, actor_learning_rate=1e-2, hidden_sizes=[32], target_update_rate=0.05, neighbors=6
        ),
    ),
}


@pytest.mark.parametrize("name", BETTER)
def test_the_agent_learns_a_better_policy_than_that_of_the_log(name, learned, mean_return):
    agent, environment = learned(*BETTER[name])
    assert mean_return(agent, environment) > 0.5 * (IMITATION + BEST) + 0.1


def test_sa2c_prefers_the_item_of_the_higher_value_to_the_one_taken_most(patience_game, mean_return):
    """In a log of single items, of which the most frequent one brings 0.2, and the next 1."""
    data, environment = patience_game
    shares, rewards = torch.tensor([0.40, 0.36, 0.06, 0.06, 0.06, 0.06]), torch.tensor([0.2, 1.0, 0.0, 0.0, 0.0, 0.0])
    world = type(environment)(data, lambda observation, shown: (rewards[shown], torch.ones_like(shown, dtype=torch.bool)))
    items = torch.multinomial(shares, SESSIONS, replacement=True, generator=torch.Generator().manual_seed(7))
    users, times = torch.arange(SESSIONS) % 6, torch.arange(SESSIONS)
    log = Log(users, items, times, ("click",), rewards[items][:, None], torch.arange(SESSIONS + 1), 6, 6, rewards[items])
    transitions = LoggedTransitions(log, 3)
    found = {}
    for warmup in (70, 1_000):
        torch.manual_seed(0)
        tracker = MeanTracker(MeanConfig(history_length=3, item_dim=16, state_dim=16), world.spec, data)
        agent = SA2C(SA2CConfig(**Q | {"gamma": 0.5}, negatives=2, warmup_updates=warmup), world.spec, tracker, seed=0)
        generator, optimizers = torch.Generator().manual_seed(3), agent.optimizers()
        for _ in range(140):
            update(agent, optimizers, transitions.at(torch.randint(SESSIONS, (128,), generator=generator)))
        found[warmup] = mean_return(agent, world)
    assert found == pytest.approx({70: 1.0, 1_000: 0.2})


@pytest.mark.parametrize(("second_shares", "expected"), [(WELL_CONTINUED, BEST), (SECOND, IMITATION)], ids=["well", "badly"])
def test_top_k_reinforce_values_an_item_by_how_the_log_went_on_after_it(second_shares, expected, learned, mean_return):
    """It corrects for the item that it would show, and not for the items that it would show later (a first-order correction)."""
    config = TopKReinforceConfig(**FAST, k=1, horizon=2)
    agent, environment = learned(TopKReinforce, config, second_shares)
    assert mean_return(agent, environment) == pytest.approx(expected, abs=0.02)


def test_sqn_imitates_while_its_values_know_the_better_item(learned, mean_return):
    agent, environment = learned(SQN, SQNConfig(**Q))
    assert mean_return(agent, environment) == pytest.approx(IMITATION, abs=0.02)
    observation = environment.reset(0)
    with torch.no_grad():
        q = agent.online(observation, agent.online.state_tracker.project_items())
        values = q.of(torch.tensor([[BAIT, INVEST]]).expand(len(observation), 2))
    assert (values[:, 1] > values[:, 0] + 0.1).all()


@pytest.mark.parametrize(
    ("factory", "config"),
    [
        (BCQ, BCQConfig(**Q, threshold=1.0)),
        (IQL, IQLConfig(**Q, beta=0.0)),
        (CQL, CQLConfig(**Q, alpha=50.0)),
    ],
    ids=["bcq", "iql", "cql"],
)
def test_at_the_other_end_of_their_options_agents_imitate(factory, config, learned, mean_return):
    agent, environment = learned(factory, config)
    assert mean_return(agent, environment) == pytest.approx(IMITATION, abs=0.02)
