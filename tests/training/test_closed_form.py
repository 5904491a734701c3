"""An agent that learns without gradients is trained, saved and resumed like any other agent."""

import copy

import pytest
import torch

from recframe.config.schema.run import TrainerConfig
from recframe.experience import Collector, RewardSum, SimulatedStream
from recframe.interfaces import Agent, Decision, Reward, Rollout, best_items, random_items
from recframe.testing import ToyEnvironment, toy_data, toy_spec
from recframe.training import BEST, LAST, Interruption, fit, load_weights

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=16)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class Counting(Agent):
    """Shows the item with the most clicks so far."""

    experience = Rollout()

    def __init__(self):
        super().__init__(SPEC, seed=0)
        self.register_buffer("clicks", torch.zeros(SPEC.num_items))

    def act(self, observation, explore):
        if explore:
            return Decision(random_items(observation, SPEC.num_items, 1, self.generator))
        return Decision(best_items(observation, self.clicks, 1))

    def losses(self, batch):
        self.clicks.index_add_(0, batch.slate.flatten(), batch.reward.flatten())
        yield from ()

    def optimizers(self):
        return {}


def train(agent, folder, env_steps, evaluate, resume_from=None):
    settings = TrainerConfig(env_steps=env_steps, chunk_steps=4, evaluate_every=320, final_weights="last", progress_bar=False, log_every=1)
    collector = Collector(ToyEnvironment(SPEC, DATA), RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset()), seed=7)
    stream = SimulatedStream.of(agent, collector, settings.chunk_steps, seed=1)
    fit(agent, stream, settings, folder=folder, evaluate=evaluate, interruption=Interruption(folder), resume_from=resume_from)


def test_an_agent_without_optimizers_is_trained_and_saved(tmp_path):
    agent, seen = Counting(), []

    def evaluate():
        seen.append(agent.clicks.clone())
        return {"return": float(agent.clicks.sum())}

    train(agent, tmp_path, 640, evaluate)
    assert 0 < seen[0].sum() < seen[1].sum() <= 640
    assert torch.equal(agent.clicks, seen[1])
    other = Counting()
    load_weights(other, tmp_path / BEST)
    assert torch.equal(other.clicks, agent.clicks)


def test_an_agent_without_optimizers_resumes_exactly(tmp_path):
    whole, first, resumed = Counting(), Counting(), Counting()
    train(whole, tmp_path / "whole", 960, lambda: {"return": 0.0})

    class Stopped(Exception):
        pass

    states = []

    def stop_in_the_third_epoch():
        if len(states) == 2:
            raise Stopped
        states.append(copy.deepcopy(first.clicks))
        return {"return": 0.0}

    with pytest.raises(Stopped):
        train(first, tmp_path / "cut", 960, stop_in_the_third_epoch)
    train(resumed, tmp_path / "cut", 960, lambda: {"return": 0.0}, resume_from=tmp_path / "cut" / LAST)
    assert torch.equal(resumed.clicks, whole.clicks)
    assert not torch.equal(resumed.clicks, states[1])
