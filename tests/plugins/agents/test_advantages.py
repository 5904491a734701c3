"""Generalized advantages against the sums of their definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe_plugins.agents.policy_gradient.advantages import explained_variance, generalized_advantages, normalized


def chunk(seed, steps=7, users=5):
    generator = torch.Generator().manual_seed(seed)
    reward, value, next_value = (torch.randn(steps, users, generator=generator) for _ in range(3))
    fate = torch.randint(0, 5, (steps, users), generator=generator)
    return reward, value, next_value, fate == 0, fate == 1


def by_definition(reward, value, next_value, terminated, truncated, gamma, gae_lambda):
    """Equation 16, user by user: sum over l of (gamma lambda)^l delta_(t + l), to the end of the session or the chunk."""
    reward, value, next_value, terminated, truncated = (part.numpy() for part in (reward, value, next_value, terminated, truncated))
    advantages = np.zeros_like(reward)
    for t, user in np.ndindex(*reward.shape):
        for later in range(t, len(reward)):
            future = 0.0 if terminated[later, user] else gamma * next_value[later, user]
            delta = reward[later, user] + future - value[later, user]
            advantages[t, user] += (gamma * gae_lambda) ** (later - t) * delta
            if terminated[later, user] or truncated[later, user]:
                break
    return advantages


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), gamma=st.floats(0, 1), gae_lambda=st.floats(0, 1))
def test_advantages_equal_the_sums_of_the_definition(seed, gamma, gae_lambda):
    parts = chunk(seed)
    found = generalized_advantages(*parts, gamma, gae_lambda)
    np.testing.assert_allclose(found, by_definition(*parts, gamma, gae_lambda), rtol=1e-4, atol=1e-4)


def test_with_lambda_0_advantages_are_one_step_errors():
    reward, value, next_value, terminated, truncated = chunk(0)
    found = generalized_advantages(reward, value, next_value, terminated, truncated, 0.9, 0.0)
    torch.testing.assert_close(found, reward + 0.9 * next_value * ~terminated - value)


def test_with_lambda_1_advantage_plus_value_is_the_reward_to_go():
    """Three sessions: one continues beyond the chunk, one is truncated after two steps, one terminates after two steps."""
    reward = torch.tensor([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [4.0, 4.0, 4.0]])
    # within a session, the observation after a step is the one before the next step
    value = torch.tensor([[7.0, 7.0, 7.0], [8.0, 8.0, 8.0], [9.0, 3.0, 3.0]])
    next_value = torch.tensor([[8.0, 8.0, 8.0], [9.0, 10.0, 10.0], [10.0, 10.0, 10.0]])
    no = torch.zeros(3, 3, dtype=torch.bool)
    truncated, terminated = no.clone(), no.clone()
    truncated[1, 1] = terminated[1, 2] = True
    found = generalized_advantages(reward, value, next_value, terminated, truncated, 0.5, 1.0) + value
    expected = [[1 + 1 + 1 + 0.125 * 10, 1 + 1 + 0.25 * 10, 1 + 1], [2 + 2 + 0.25 * 10, 2 + 0.5 * 10, 2], [4 + 0.5 * 10] * 3]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_normalized_advantages_keep_their_order_but_not_their_scale():
    advantages = torch.tensor([1.0, 2.0, 6.0])
    found = normalized(advantages)
    assert found.mean().item() == pytest.approx(0, abs=1e-6)
    assert found.square().mean().item() == pytest.approx(1, rel=1e-5)
    torch.testing.assert_close(normalized(1000 * advantages - 7), found, rtol=1e-4, atol=1e-5)
    assert torch.equal(normalized(torch.full((4,), 3.0)), torch.zeros(4))


def test_explained_variance_is_1_for_perfect_values_and_0_for_a_constant():
    returns = torch.tensor([1.0, 2.0, 6.0])
    assert explained_variance(returns, returns).item() == 1
    assert explained_variance(torch.full((3,), 5.0), returns).item() == pytest.approx(0, abs=1e-6)
    assert explained_variance(returns.flip(0) / 4, returns).item() == pytest.approx(1 - torch.tensor([-0.5, 1.5, 5.75]).var().item() / 7)
    assert explained_variance(-returns, returns).item() == -1
