"""What auxiliary heads share: queries of the tracker's state, scored with its item vectors, and trained by the agent's optimizer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from recframe.config import ConfigError
from recframe.config.schema.run import AuxiliaryConfig
from recframe.interfaces import Agent, Observation, Shared, StateTracker, Transition, restore_generator
from recframe.item_agents import renumbered


class AuxiliaryHead(nn.Module, ABC):
    """K linear queries of the state; their products with an item's vector, over sqrt(d), are what the task predicts of the item.

    Its loss, times `weight`, is added to the loss of the agent's optimizer that trains the state tracker, so that one step serves both.

    Parameters
    ----------
    tracker: the state tracker that the agent was built with.
    outputs: K, the number of queries.

    Raises
    ------
    ConfigError: actions are not items, or no optimizer of the agent trains the tracker.
    """

    def __init__(self, settings: AuxiliaryConfig, agent: Agent, tracker: StateTracker, seed: int, outputs: int) -> None:
        super().__init__()
        spec = agent.spec
        self.settings = settings
        self.outputs = outputs
        self.optimizer = _optimizer_of(agent, tracker)
        self._tracker = Shared(tracker)  # belongs to the agent, which saves and moves it
        self.generator = torch.Generator(spec.device).manual_seed(seed)
        # PyTorch's own initialization, but from a generator that nothing else uses
        linear = nn.utils.skip_init(nn.Linear, tracker.state_dim, outputs * tracker.item_dim, device=spec.device)
        self.query: nn.Linear = linear
        for parameter in self.query.parameters():
            bound = 1.0 / math.sqrt(tracker.state_dim)
            nn.init.uniform_(parameter, -bound, bound, generator=self.generator)
        self._measured = False

    @abstractmethod
    def loss(self, batch: Transition) -> Tensor:
        """The mean loss of the task in a batch `[B]` or `[T, N]`; 0 if the batch says nothing about it."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """What is logged since the last call; a metric of which nothing was seen is left out."""

    @property
    def tracker(self) -> StateTracker:
        """The agent's state tracker."""
        return self._tracker.values

    def add_to(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Add the head's parameters to the optimizer that trains the tracker; call it before the optimizer's state is loaded."""
        first = next(parameter for parameter in self.tracker.parameters() if parameter.requires_grad)
        group = next(group for group in optimizers[self.optimizer].param_groups if any(own is first for own in group["params"]))
        group["params"].extend(self.query.parameters())

    def start_chunk(self) -> None:
        """Measure again in the next batch: the first of a new chunk, before the agent learns from that chunk."""
        self._measured = False

    def first_of_chunk(self) -> bool:
        """Whether this is the first call since the chunk started."""
        first, self._measured = not self._measured, True
        return first

    def queries(self, state: Tensor) -> Tensor:
        """The queries `[S, K * d]` of the states `[S, D]`, over sqrt(d)."""
        query: Tensor = self.query(state)
        scaled: Tensor = query / (query.shape[1] / self.outputs) ** 0.5
        return scaled

    def get_extra_state(self) -> dict[str, Any]:
        """The generator's state, which is saved with the weights."""
        return {"generator": self.generator.get_state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the generator."""
        restore_generator(self.generator, state["generator"])


def require_items(agent: Agent, predicted: str) -> None:
    """Raise `ConfigError` where actions are not items, of which `predicted` could be said."""
    if agent.spec.actions != "items":
        raise ConfigError(
            [f"auxiliary.weight: {predicted} can be predicted only where actions are items, and here they are not; set it to 0"]
        )


def with_own_numbers(observation: Observation, named: list[Tensor]) -> tuple[Tensor, Observation, list[Tensor]]:
    """The different items `[R]` that the observation or `named` contain; and both with items numbered by their row among these.

    Excluded items keep their numbers: no tracker reads them.
    """
    fields = [name for name in ("history_items", "candidates") if getattr(observation, name) is not None]
    rows, found = renumbered([getattr(observation, name) for name in fields] + named)
    copy = observation.clone(recurse=False)
    for name, numbers in zip(fields, found, strict=False):
        setattr(copy, name, numbers)
    return rows, copy, found[len(fields) :]


def _optimizer_of(agent: Agent, tracker: StateTracker) -> str:
    """The name of the agent's optimizer that trains the tracker."""
    wanted = {id(parameter) for parameter in tracker.parameters() if parameter.requires_grad}
    if wanted and any(module is tracker for module in agent.modules()):
        for name, optimizer in agent.optimizers().items():
            if wanted <= {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}:
                return name
    what = f"{type(agent).__name__} trains no state tracker by gradients"
    raise ConfigError([f"auxiliary.weight: {what}; set it to 0, or use an agent that does, such as dqn"])
