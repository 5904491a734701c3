"""An agent relies on a prior that knows the truth, and learns not to rely on one that knows nothing."""

from dataclasses import replace

import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import Environment, EnvironmentSpec, History, Observation, Response, Step
from recframe.item_agents.prior_scores import prior_weights
from recframe.testing import collect, update
from recframe_plugins.agents.policy_gradient.config import ReinforceConfig
from recframe_plugins.agents.policy_gradient.reinforce import Reinforce
from recframe_plugins.agents.q_learning.config import DQNConfig
from recframe_plugins.agents.q_learning.dqn import DQN
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker
from tests.plugins.agents.conftest import world_data

PEOPLE, ITEMS, CANDIDATES, USERS = 4_000, 30, 6, 64


class Surprises(Environment):
    """Sessions of one turn with six candidates. `likes` `[P, M]` is how probably a person clicks on an item; who they are is not told."""

    def __init__(self, data, likes) -> None:
        self.spec = EnvironmentSpec(USERS, 1, 3, len(data.catalog), ("click",), num_candidates=CANDIDATES, has_users=False)
        self.likes = likes
        self.generator = torch.Generator()

    def reset(self, seed):
        self.generator.manual_seed(seed)
        self.history = History(USERS, self.spec.history_length, self.spec.signals, "cpu")
        return self._visit()

    def step(self, slate):
        click = torch.rand(USERS, 1, generator=self.generator) < self.likes[self.user].gather(1, slate)
        response = Response(
            signals=TensorDict({"click": click.float()}, [USERS]), leave=torch.ones(USERS, dtype=torch.bool), batch_size=[USERS]
        )
        last = self._observe()
        return Step(response, last, self._visit(), response.leave, ~response.leave)

    def _visit(self):
        self.user = torch.randint(PEOPLE, (USERS,), generator=self.generator)
        self.candidates = torch.rand(USERS, ITEMS, generator=self.generator).argsort(dim=1)[:, :CANDIDATES]
        return self._observe()

    def _observe(self):
        history = {"history_items": self.history.items, "history_feedback": self.history.feedback}
        return Observation(user=self.user, **history, candidates=self.candidates, batch_size=[USERS])

    def state_dict(self):
        raise NotImplementedError

    def load_state_dict(self, state):
        raise NotImplementedError


class Prior:
    """The centred logarithms of what each person likes, or of other numbers."""

    def __init__(self, table):
        self.log = table.clamp(min=1e-2).log()

    def __call__(self, observation):
        values = self.log[observation.user].gather(1, observation.candidates)
        return values - values.mean(dim=1, keepdim=True)


def random_table(seed, rows=PEOPLE):
    return torch.rand(rows, ITEMS, generator=torch.Generator().manual_seed(seed)).square().expand(PEOPLE, -1)


def dqn(spec, data):
    options = {"batch_size": 128, "learning_starts": 256, "updates_per_chunk": 8, "epsilon_decay_steps": 5_000, "learning_rate": 5e-3}
    return DQN(DQNConfig(**options, gamma=0.0), spec, MeanTracker(MeanConfig(item_dim=8, state_dim=8), spec, data), seed=0)


def reinforce(spec, data):
    config = ReinforceConfig(learning_rate=1e-2, entropy_weight=0.0)
    return Reinforce(config, spec, MeanTracker(MeanConfig(item_dim=8, state_dim=8), spec, data), seed=0)


def trained(likes, make, prior, start=0.0):
    """The return of the greedy policy after training, and the weight of the prior."""
    data = world_data(ITEMS)
    environment = Surprises(data, likes)
    torch.manual_seed(0)
    agent = make(environment.spec if prior is None else replace(environment.spec, prior_weight=start), data)
    if prior is not None:
        agent.use_prior(prior)
    optimizers, observation, memory = agent.optimizers(), environment.reset(1_000_003), []
    generator = torch.Generator().manual_seed(7)
    for _ in range(60 if make is reinforce else 25):
        rollout, observation = collect(agent, environment, observation, 4)
        if make is reinforce:
            update(agent, optimizers, rollout)
            continue
        memory.append(rollout.reshape(-1))
        whole = torch.cat(memory)
        for _ in range(8):
            update(agent, optimizers, whole[torch.randint(len(whole), (128,), generator=generator)])
    observation, earned = environment.reset(12_345), []
    agent.prepare_to_act()
    for _ in range(20):
        step = environment.step(agent.act(observation, explore=False).slate)
        earned.append(step.response.signals["click"].mean())
        observation = step.observation
    weight = next(iter(prior_weights(agent).values()), torch.tensor(0.0))
    return float(torch.stack(earned).mean()), float(weight)


@pytest.mark.parametrize("make", [dqn, reinforce])
def test_a_prior_that_knows_the_truth_gains_weight_and_return(make):
    likes = random_table(5)
    without, _ = trained(likes, make, None)
    with_prior, weight = trained(likes, make, Prior(likes))
    assert weight > 0.08
    assert with_prior > without + 0.15


@pytest.mark.parametrize("make", [dqn, reinforce])
def test_a_prior_that_knows_nothing_loses_its_weight(make):
    # everybody likes the same items, which can be learned, and which the prior hides
    start, likes = 0.5, random_table(5, rows=1)
    _, weight = trained(likes, make, Prior(random_table(9)), start)
    assert weight < 0.7 * start
