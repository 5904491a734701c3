"""Sound components of each kind, from which the broken ones are made."""

from dataclasses import dataclass

import numpy as np
import torch

from recframe.components import option
from recframe.interfaces import Agent, Dataset, Decision, Encoder, Replay, Reward, allowed_items, best_items, random_items
from recframe.item_agents import as_ranking
from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec


@dataclass
class Config:
    """A component made for this test."""

    level: int = option(3, "how much", ge=1)


@dataclass
class TrackerConfig(Config):
    """A component made for this test."""

    history_length: int = option(5, "items of the history", ge=1)


@dataclass
class WorldConfig(Config):
    """A component made for this test."""

    num_users: int = option(6, "users at once", ge=1)


class SoundDataset(Dataset):
    """The toy data."""

    def __init__(self, config):
        self.config = config

    def load(self):
        return toy_data()


class SoundEncoder(Encoder):
    """Counts letters."""

    dim = 26
    fingerprint = "letters"

    def __init__(self, config, device):
        self.config = config

    def encode(self, texts, role):
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)


class SoundTracker(ToyTracker):
    """The toy tracker."""

    def __init__(self, config, spec, data):
        super().__init__(spec, data)


class SoundWorld(ToyEnvironment):
    """The toy environment."""

    def __init__(self, config, data, num_users, history_length, split, device):
        super().__init__(toy_spec(data, num_users=num_users, history_length=history_length), data)


class SoundReward(Reward):
    """The clicks."""

    def __init__(self, config):
        self.config = config

    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class SoundAgent(Agent):
    """Learns immediate rewards, and explores half the time."""

    def __init__(self, config, spec, state_tracker, seed):
        super().__init__(spec, seed)
        self.tracker = state_tracker
        self.query = torch.nn.Linear(state_tracker.state_dim, state_tracker.item_dim)
        self.items = None

    @property
    def experience(self):
        return Replay(1_000, 16, 16, 1)

    def prepare_to_act(self):
        with torch.no_grad():
            self.items = self.tracker.project_items()

    def scores(self, observation):
        return self.query(self.tracker(observation, self.items)) @ self.items.T

    def act(self, observation, explore):
        greedy = best_items(observation, self.scores(observation), self.spec.slate_size)
        random = random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator)
        return Decision(random if explore else greedy)

    def rank(self, observation, k):
        allowed = allowed_items(observation, self.scores(observation))
        order = allowed.argsort(dim=1, descending=True)
        return as_ranking(observation, order, self.spec.num_items, k)

    def losses(self, batch):
        items = self.tracker.project_items()
        scores = (self.query(self.tracker(batch.observation, items)) * items[batch.slate[:, 0]]).sum(dim=1)
        yield "main", (scores - batch.reward).pow(2).mean()

    def optimizers(self):
        return {"main": torch.optim.Adam(self.parameters())}
