"""SlateQ finds the best slates in an environment where they are known."""

import pytest
import torch
import torch.nn.functional as F
from tensordict import TensorDict

from recframe.interfaces import EnvironmentSpec, Response, Step
from recframe.testing import ToyEnvironment, check_environment
from recframe_plugins.agents.baselines.random import RandomAgent
from recframe_plugins.agents.q_learning.config import SlateQConfig
from recframe_plugins.agents.q_learning.slate_q import SlateQ
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

BAIT = 4  # the first items of the catalogue
GOES_ON = 0.9


class BaitWorld(ToyEnvironment):
    """Slates of two: each user likes two items, and all users like the bait a little more, but a click on bait ends the session.

    One item is clicked by a conditional logit: utility 3 for bait, 2 for liked items, -1 for other items, 0 for no click. The best slate,
    of liked items, is clicked with probability 0.937 in ten steps on average; that of bait with 0.976, but only in one or two steps.
    """

    def __init__(self, data, num_users: int = 32) -> None:
        super().__init__(EnvironmentSpec(num_users, 2, 4, len(data.catalog), ("click",)), data)
        people, harmless = len(data.users), len(data.catalog) - BAIT
        self.utility = torch.full((people, len(data.catalog)), -1.0)
        self.utility[:, :BAIT] = 3.0
        for person in range(people):
            self.utility[person, [BAIT + person % harmless, BAIT + (person + 1) % harmless]] = 2.0

    def step(self, slate):
        shares = torch.softmax(F.pad(self.utility[self.user.unsqueeze(1), slate], (0, 1)), dim=1).cumsum(dim=1)
        choice, end = torch.rand(2, len(slate), 1, generator=self.generator)
        clicks = F.one_hot((choice > shares[:, :2]).sum(dim=1), 3)[:, :2].float()
        ended = ((clicks * (slate < BAIT)).sum(dim=1) > 0) | (end.squeeze(1) > GOES_ON)
        response = Response(signals=TensorDict({"click": clicks}, batch_size=[len(slate)]), leave=ended, batch_size=[len(slate)])
        self.history.append(slate, response)
        next_observation = self._observation()
        self.history.clear(ended)
        self.user = torch.where(ended, self._integers(len(self.utility)), self.user)
        return Step(response, next_observation, self._observation(), ended, torch.zeros_like(ended))

    def truth(self):
        return None


@pytest.fixture
def bait_world(profile_bandit):
    data, _ = profile_bandit
    return data, BaitWorld(data)


def agent(data, environment, seed, **options):
    torch.manual_seed(seed)
    tracker = MeanTracker(MeanConfig(item_dim=32, state_dim=32), environment.spec, data)
    quick = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 4, "epsilon_decay_steps": 8_000, "target_update_interval": 25}
    return SlateQ(SlateQConfig(**{**quick, "learning_rate": 3e-3, "gamma": 0.9, **options}), environment.spec, tracker, seed=seed)


def test_the_environment_passes_the_checks(bait_world):
    data, environment = bait_world
    check_environment(environment, data)


@pytest.mark.parametrize(("optimizer", "seed"), [("greedy", 0), pytest.param("greedy", 1, marks=pytest.mark.evidence), ("top_k", 0)])
def test_the_agent_shows_liked_items_and_no_bait(optimizer, seed, bait_world, train, mean_return):
    data, environment = bait_world
    assert mean_return(RandomAgent(None, environment.spec, None, seed=seed), environment) < 2
    learner = agent(data, environment, seed, slate_optimizer=optimizer)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) > 5


def test_with_gamma_0_the_agent_shows_the_bait(bait_world, train, mean_return):
    data, environment = bait_world
    learner = agent(data, environment, 0, gamma=0.0)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) < 2
