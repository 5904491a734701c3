"""An exponential moving average of an agent's weights, which is evaluated and saved in their place (Polyak & Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from recframe.interfaces import Agent


class WeightAverage:
    """The average of the parameters that the agent's optimizers train: a <- d a + (1 - d) theta after every batch.

    Early in training the decay is smaller, d_n = min(d, (1 + n) / (10 + n)) in the n-th update, so that the initial weights are soon
    forgotten (as in TensorFlow's `ExponentialMovingAverage`). Target networks, buffers and what is learned in closed form are not averaged.
    """

    def __init__(self, agent: Agent, optimizers: Iterable[torch.optim.Optimizer], decay: float) -> None:
        self.agent = agent
        self.decay = decay
        self.updates = 0
        trained = {id(parameter) for optimizer in optimizers for group in optimizer.param_groups for parameter in group["params"]}
        self.parameters = {name: parameter for name, parameter in agent.named_parameters() if id(parameter) in trained}
        self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the current weights into the average."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        current = [parameter.detach() for parameter in self.parameters.values()]
        get_ema_multi_avg_fn(decay)(list(self.average.values()), current, self.updates)

    @torch.no_grad()
    def apply(self) -> None:
        """Replace the agent's weights by the average, for good."""
        for name, parameter in self.parameters.items():
            parameter.copy_(self.average[name])
        # what the agent projected with its own weights
        self.agent.prepare_to_act()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The agent has the averaged weights within the block."""
        own = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self.apply()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(own[name])

    def state_dict(self) -> dict[str, object]:
        """The average and the number of updates."""
        return {"average": {name: value.clone() for name, value in self.average.items()}, "updates": self.updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore a saved average."""
        average, updates = state["average"], state["updates"]
        assert isinstance(average, dict)
        assert isinstance(updates, int)
        self.updates = updates
        for name, value in self.average.items():
            saved = average[name]
            assert isinstance(saved, Tensor)
            value.copy_(saved)
