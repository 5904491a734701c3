"""Small environments whose best policy is known, and a training loop for them."""

from collections.abc import Callable

import polars as pl
import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import Catalog, Data, Environment, EnvironmentSpec, History, Observation, Response, Step, Texts, Users
from recframe.testing import collect, update

BAIT, INVEST, HARVEST = 0, 1, 2
WORLD_SEED, REPLAY_SEED = 1_000_003, 2_000_003


class KnownWorld(Environment):
    """Sessions in which `outcome(observation, shown)` gives the reward of a shown item, and whether it ends the session."""

    def __init__(self, data: Data, outcome: Callable, num_users: int = 32, has_context: bool = False) -> None:
        self.spec = EnvironmentSpec(num_users, 1, 3, len(data.catalog), ("click",), has_context=has_context)
        self.outcome, self.people = outcome, len(data.users)
        self.generator = torch.Generator()

    def reset(self, seed: int) -> Observation:
        self.generator.manual_seed(seed)
        self.history = History(self.spec.num_users, self.spec.history_length, self.spec.signals, "cpu")
        self.user, self.context = self._draw(), self._draw()
        return self._observe()

    def step(self, slate: torch.Tensor) -> Step:
        earned, ended = self.outcome(self._observe(), slate[:, 0])
        signals = TensorDict({"click": earned.unsqueeze(1)}, batch_size=[len(earned)])
        response = Response(signals=signals, leave=ended, batch_size=[len(earned)])
        self.history.append(slate, response)
        next_observation = self._observe()
        self.history.clear(ended)
        user, context = self._draw(), self._draw()
        self.user, self.context = torch.where(ended, user, self.user), torch.where(ended, context, self.context)
        return Step(response, next_observation, self._observe(), ended, torch.zeros_like(ended))

    def _draw(self) -> torch.Tensor:
        return torch.randint(self.people, (self.spec.num_users,), generator=self.generator)

    def _observe(self) -> Observation:
        context = self.context if self.spec.has_context else None
        items, feedback = self.history.items, self.history.feedback
        size = [self.spec.num_users]
        return Observation(user=self.user, history_items=items, history_feedback=feedback, context=context, batch_size=size)

    def state_dict(self) -> dict:
        state = {"user": self.user, "context": self.context, "generator": self.generator.get_state()}
        return {**state, "history": self.history.state_dict()}

    def load_state_dict(self, state: dict) -> Observation:
        self.user, self.context = state["user"], state["context"]
        self.history.load_state_dict(state["history"])
        self.generator.set_state(state["generator"])
        return self._observe()


def world_data(num_items: int, dim: int = 16) -> Data:
    """As many users and contexts as items, each with a random text vector, so that the item of each user must be learned."""
    generator = torch.Generator().manual_seed(0)

    def texts() -> Texts:
        return Texts([str(i) for i in range(num_items)], torch.randn(num_items, dim, generator=generator))

    items, names = texts(), [str(i) for i in range(num_items)]
    catalog = Catalog(names, items.texts, pl.DataFrame({"title": names}), torch.ones(num_items), items.vectors)
    return Data(catalog, Users(names, texts()), contexts=texts())


def suits(field: str) -> Callable:
    """User (or context) number i clicks on item number i only; every session is one step long."""

    def outcome(observation, shown):
        return (shown == getattr(observation, field)).float(), torch.ones_like(shown, dtype=torch.bool)

    return outcome


def patience(observation, shown):
    """BAIT has a reward of 0.6 and ends the session; INVEST has none, but HARVEST after it has 1. All others have none and end it."""
    invested = observation.history_items[:, -1] == INVEST
    earned = torch.where(invested, (shown == HARVEST).float(), 0.6 * (shown == BAIT))
    return earned, invested | (shown != INVEST)


@pytest.fixture
def profile_bandit():
    data = world_data(20)
    return data, KnownWorld(data, suits("user"))


@pytest.fixture
def context_bandit():
    data = world_data(20)
    return data, KnownWorld(data, suits("context"), has_context=True)


@pytest.fixture
def patience_game():
    data = world_data(6)
    return data, KnownWorld(data, patience)


@pytest.fixture
def train():
    def run(agent, environment, chunks: int, chunk_steps: int = 4) -> None:
        """Collect and learn from a replay memory, as the training module does."""
        # seeds that no agent of these tests has: with equal seeds, random items would depend on the users that the environment draws
        optimizers, memory, generator = agent.optimizers(), None, torch.Generator().manual_seed(REPLAY_SEED)
        observation, plan = environment.reset(WORLD_SEED), agent.experience
        for _ in range(chunks):
            rollout, observation = collect(agent, environment, observation, chunk_steps)
            memory = rollout.reshape(-1) if memory is None else torch.cat([memory, rollout.reshape(-1)])
            if len(memory) < plan.learning_starts:
                continue
            for _ in range(plan.updates_per_chunk):
                update(agent, optimizers, memory[torch.randint(len(memory), (plan.batch_size,), generator=generator)])

    return run


@pytest.fixture
def mean_return():
    def run(agent, environment, sessions: int = 640) -> float:
        """Mean undiscounted return of the greedy policy over at least that many sessions."""
        observation, earned, ended = environment.reset(12345), 0.0, 0
        agent.prepare_to_act()
        while ended < sessions:
            step = environment.step(agent.act(observation, explore=False).slate)
            earned += float(step.response.signals["click"].sum())
            ended += int(step.terminated.sum())
            observation = step.observation
        return earned / ended

    return run
