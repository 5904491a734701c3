"""SlateQ finds the slates that people click on and that do not end the session, where it is known which those are."""

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
    """Slates of two: all are tempted by the bait, a click on which ends the session, and like two items of their own a little less.

    One item is clicked by conditional logit: utility 3 of bait, 2 of what is liked, -1 of the rest, 0 of no click. The best slate, of what
    is liked, is clicked in 0.937 of ten steps on average; the most clicked one, of bait, in 0.976 of a step or two.
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


def test_the_world_conforms(bait_world):
    data, environment = bait_world
    check_environment(environment, data)


@pytest.mark.parametrize(("optimizer", "seed"), [("greedy", 0), ("greedy", 1), ("top_k", 0)])
def test_it_shows_what_is_liked_and_no_bait(optimizer, seed, bait_world, train, mean_return):
    data, environment = bait_world
    assert mean_return(RandomAgent(None, environment.spec, None, seed=seed), environment) < 2
    learner = agent(data, environment, seed, slate_optimizer=optimizer)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) > 5


def test_without_a_future_it_shows_the_bait(bait_world, train, mean_return):
    data, environment = bait_world
    learner = agent(data, environment, 0, gamma=0.0)
    train(learner, environment, chunks=40)
    assert mean_return(learner, environment) < 2
