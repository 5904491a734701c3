"""Asked for a high return, a decision transformer does what a good policy in the log did; asked for a low one, what a poor one did.

Sessions of two items, or of three, of a log and of the world to act in. Imitation of the same log, by a sequence model on the same state
tracker, repeats what most of it did.
"""

from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD, Log, Observation
from recframe.logs.sequences import SequenceSampler
from recframe.testing import update
from recframe_plugins.agents.offline.config import DecisionTransformerConfig, FilteredBCConfig
from recframe_plugins.agents.offline.decision_transformer import DecisionTransformer
from recframe_plugins.agents.offline.filtered_bc import FilteredBC
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig
from recframe_plugins.agents.sequence_models.sequence_model import SequenceModel
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

pytestmark = pytest.mark.slow
BAIT, INVEST, HARVEST, START, GOOD = 0, 1, 2, 3, 0
SESSIONS, LENGTH = 1_000, 3
TRANSFORMER = {"learning_rate": 3e-3, "horizon": LENGTH, "width": 32, "layers": 1}


def reward_of(items):
    """The rewards `[S, 2]` of sessions of two items: BAIT brings 0.6 at once; INVEST nothing, but HARVEST after it 1."""
    return torch.stack([0.6 * (items[:, 0] == BAIT), ((items[:, 0] == INVEST) & (items[:, 1] == HARVEST)).float()], dim=1)


def invest_or_not(observation, shown):
    """The world of these sessions: the reward of a shown item, and whether it ends the session."""
    second = observation.history_items[:, -1]
    rewards = reward_of(torch.stack([torch.where(second == -1, shown, second), shown], dim=1))
    return torch.where(second == -1, rewards[:, 0], rewards[:, 1]), second != -1


def two_policies():
    """The log of a poor policy, which takes the BAIT in 70 % of the sessions, and of a good one in 30 %; both try other items at times."""
    generator = torch.Generator().manual_seed(5)
    anything = torch.randint(6, (SESSIONS, 2), generator=generator)
    good = torch.rand(SESSIONS, generator=generator) < 0.3
    planned = torch.rand(SESSIONS, 2, generator=generator) < 0.8
    first = torch.where(good, INVEST, BAIT)
    second = torch.where(good, HARVEST, anything[:, 1])
    items = torch.where(planned, torch.stack([first, second], dim=1), anything)
    return log_of(items, reward_of(items))


def counting(observation, shown):
    """The world of sessions of three items: GOOD brings 1, and every other item nothing."""
    return (shown == GOOD).float(), (observation.history_items != -1).sum(dim=1) == LENGTH - 1


def chance():
    """The log of a policy that shows GOOD in half of the cases."""
    generator = torch.Generator().manual_seed(5)
    others = torch.randint(1, 6, (SESSIONS, LENGTH), generator=generator)
    items = torch.where(torch.rand(SESSIONS, LENGTH, generator=generator) < 0.5, GOOD, others)
    return log_of(items, (items == GOOD).float())


def log_of(items, rewards):
    """Sessions of equal length, whose rewards are seen as feedback."""
    rows = items.numel()
    return Log(
        users=torch.zeros(rows, dtype=torch.int64),
        items=items.flatten(),
        timestamps=torch.arange(rows),
        signals=("click",),
        feedback=rewards.reshape(-1, 1),
        offsets=torch.arange(0, rows + 1, items.shape[1]),
        num_items=6,
        num_users=6,
        rewards=rewards.flatten(),
    )


@pytest.fixture
def learned(patience_game):
    def run(factory, config, outcome, log, updates=100):
        data, game = patience_game
        world = type(game)(data, outcome)
        torch.manual_seed(0)
        tracker = MeanTracker(MeanConfig(history_length=LENGTH, item_dim=16, state_dim=16), world.spec, data)
        agent = factory(config, world.spec, tracker, seed=0)
        sampler, optimizers = SequenceSampler(log, agent.experience, torch.Generator().manual_seed(1)), agent.optimizers()
        for _ in range(updates):
            update(agent, optimizers, sampler.draw())
        return agent, world

    return run


def test_asked_for_the_return_of_a_policy_it_acts_as_that_policy_did(learned, mean_return):
    agent, world = learned(DecisionTransformer, DecisionTransformerConfig(**TRANSFORMER), invest_or_not, two_policies())
    assert mean_return(agent, world) == 1.0  # by the quantile of the log's returns
    for target, expected in ((1.0, 1.0), (0.6, 0.6), (0.0, 0.0)):
        agent.config = replace(agent.config, target_return=target)
        assert mean_return(agent, world) == pytest.approx(expected)


def test_it_asks_for_less_when_it_has_received_some(learned, mean_return):
    """In a log of chance, asked for a number of GOOD items, it shows exactly that many: the target counts down as rewards come in."""
    agent, world = learned(DecisionTransformer, DecisionTransformerConfig(**TRANSFORMER), counting, chance())
    for target in range(LENGTH + 1):
        agent.config = replace(agent.config, target_return=float(target))
        assert mean_return(agent, world) == target


@pytest.mark.parametrize("name", ["sequence_model", "filtered_bc"])
def test_imitation_of_the_same_log_takes_the_bait(name, learned):
    factory, config = {
        "sequence_model": (SequenceModel, SequenceModelConfig(learning_rate=1e-2)),
        "filtered_bc": (FilteredBC, FilteredBCConfig(learning_rate=1e-2, share=1.0)),
    }[name]
    log = two_policies()
    # what a sequence begins with is not learned: here all begin with the same item. Everything is a click, so that everything is imitated.
    items = torch.cat([torch.full((SESSIONS, 1), START), log.items.reshape(SESSIONS, 2)], dim=1)
    agent, _ = learned(factory, config, invest_or_not, log_of(items, torch.ones(SESSIONS, 3)))
    started = Observation(
        user=torch.zeros(1, dtype=torch.int64),
        history_items=torch.tensor([[PAD, PAD, START]]),
        history_feedback=torch.tensor([[[0.0], [0.0], [1.0]]]),
        batch_size=[1],
    )
    agent.prepare_to_act()
    assert agent.rank(started, 1).tolist() == [[BAIT]]
