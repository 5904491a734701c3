"""Transitions for reward tests: explicit, or random over the toy catalogue."""

import pytest
import torch
from tensordict import TensorDict

from recframe.interfaces import PAD, Observation, Response, Transition
from recframe.testing import toy_data, toy_spec, toy_transition

SIGNALS = ("click", "rating", "dwell", "purchase", "return", "reward")


def written_out(slate, history=None, leave=None, item_reward=None, **signals):
    """The transition of N users who are shown `slate` `[N, K]`; without `history` `[N, H]`, histories are empty."""
    slate = torch.as_tensor(slate)
    users = len(slate)
    history = torch.full((users, 3), PAD) if history is None else torch.as_tensor(history)
    leave = torch.zeros(users, dtype=torch.bool) if leave is None else torch.as_tensor(leave)
    signals = {name: torch.as_tensor(values, dtype=torch.float32) for name, values in signals.items()}
    observation = Observation(
        user=torch.zeros(users, dtype=torch.int64),
        history_items=history,
        history_feedback=torch.zeros(*history.shape, max(len(signals), 1)),
        batch_size=[users],
    )
    return Transition(
        observation=observation,
        slate=slate,
        log_prob=torch.zeros(users),
        response=Response(signals=TensorDict(signals, batch_size=[users]), leave=leave, batch_size=[users]),
        reward=torch.zeros(users),
        item_reward=torch.zeros(slate.shape) if item_reward is None else item_reward,
        next_observation=observation,
        terminated=leave,
        truncated=torch.zeros_like(leave),
        batch_size=[users],
    )


@pytest.fixture(scope="session")
def step():
    return written_out


@pytest.fixture(scope="session")
def data():
    return toy_data()


@pytest.fixture(scope="session")
def random_step(data):
    """`random_step(seed)`: seven users with histories of all lengths up to five; every second slate repeats an item."""

    def draw(seed, slate_size=4, signals=SIGNALS):
        spec = toy_spec(data, slate_size=slate_size, signals=signals, has_context=True)
        transition = toy_transition(spec, data, torch.Generator().manual_seed(seed), users=7)
        transition.slate[1::2, -1] = transition.slate[1::2, 0]
        transition.slate[-1, 0] = transition.observation.history_items[-2, -1]
        return transition

    return draw


@pytest.fixture(scope="session")
def rearranged():
    """`rearranged(transition, order)`: the same transition with the slate in another order."""

    def rearrange(transition, order):
        moved = transition.clone()
        moved.slate = transition.slate[:, order]
        moved.response.signals = transition.response.signals.apply(lambda values: values[:, order])
        return moved

    return rearrange
