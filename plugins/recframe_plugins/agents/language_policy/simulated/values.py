"""Values in the unit of rewards, from a value head in the unit of the spread of the first returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recframe.interfaces import Transition
from recframe_plugins.agents.policy_gradient.advantages import generalized_advantages

if TYPE_CHECKING:
    from recframe_plugins.agents.language_policy.generator import ItemGenerator


class Values:
    """V(s) = mean + deviation * head(s), with the mean and standard deviation of the rewards-to-go of the first chunk.

    A head that begins at 0 and moves by small steps would take thousands of them to the size of a return; and its error, in units of
    returns, would drown the policy's gradient in the layers that they share.
    """

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma
        self.mean = self.deviation = 0.0

    def start(self, batch: Transition) -> None:
        """Take mean and deviation from a chunk `[T, N]`, if it is the first."""
        if self.deviation:
            return
        nothing = torch.zeros_like(batch.reward)
        returns = generalized_advantages(batch.reward, nothing, nothing, batch.terminated, batch.truncated, self.gamma, gae_lambda=1.0)
        self.mean, self.deviation = float(returns.mean()), max(float(returns.std(correction=0)), 1e-3)

    def of(self, head: Tensor) -> Tensor:
        """The values of the head's outputs."""
        return self.mean + self.deviation * head

    def targets(self, returns: Tensor) -> Tensor:
        """What the head is to give for these returns."""
        return (returns - self.mean) / self.deviation

    @torch.no_grad()
    def after(self, policy: ItemGenerator, batch: Transition, value: Tensor) -> Tensor:
        """V of the observation after each step of a chunk, `[T, N]`, given V of the observation before it, `value` `[T, N]`.

        The observation after a step is that before the next one, unless the session ended or the chunk did.
        """
        cut = batch.truncated.clone()
        cut[-1] = True
        following = value.roll(-1, dims=0)
        following[cut] = self.of(policy.values(batch.next_observation[cut]))
        return following

    def advantages(self, policy: ItemGenerator, batch: Transition, value: Tensor, gae_lambda: float) -> Tensor:
        """Generalized advantages `[T, N]` of a chunk whose values are `value` `[T, N]`."""
        following = self.after(policy, batch, value)
        return generalized_advantages(batch.reward, value, following, batch.terminated, batch.truncated, self.gamma, gae_lambda)

    def state_dict(self) -> dict[str, Any]:
        """Mean and deviation."""
        return {"mean": self.mean, "deviation": self.deviation}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.mean, self.deviation = state["mean"], state["deviation"]
