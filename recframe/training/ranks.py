"""The processes of one training, its ranks: what they average, agree on and gather, over `torch.distributed` with gloo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]
from pytorch_lightning.strategies import DDPStrategy
from torch import nn

from recframe.interfaces import UserDivision
from recframe.interfaces.division import WHOLE

T = TypeVar("T")


class RankLost(Exception):
    """Another process of the training is gone."""


class Ranks:
    """This process's place among those that train together, and their communication; by default it is alone.

    Every method must be called by all ranks, in the same order.

    Raises
    ------
    RankLost: by every method, another process is gone.
    """

    def __init__(self, part: UserDivision = WHOLE) -> None:
        self.part = part

    @property
    def is_first(self) -> bool:
        """Whether this process evaluates, saves and logs."""
        return self.part.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.part.ranks == 1

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace the gradients of `parameters` by their means over the ranks, in one message."""
        if self.alone:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        with _losing():
            torch.distributed.all_reduce(flat)
        flat /= self.part.ranks
        for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def largest(self, number: int) -> int:
        """The largest of the ranks' numbers."""
        if self.alone:
            return number
        value = torch.tensor(number)
        with _losing():
            torch.distributed.all_reduce(value, torch.distributed.ReduceOp.MAX)
        return int(value)

    def of_first(self, value: Callable[[], T]) -> T:
        """What `value()` gives in the first rank, which alone calls it."""
        if self.alone:
            return value()
        held: list[Any] = [value() if self.is_first else None]
        with _losing():
            torch.distributed.broadcast_object_list(held)
        result: T = held[0]
        return result

    def gathered(self, value: Any) -> list[Any]:
        """The values of the other ranks, in order, in the first; empty in the others."""
        if self.alone:
            return []
        held: list[Any] | None = [None] * self.part.ranks if self.is_first else None
        with _losing():
            torch.distributed.gather_object(value, held)
        return [] if held is None else held[1:]

    def synchronize(self, module: nn.Module) -> None:
        """Give `module` the parameters of the first rank."""
        with _losing():
            for parameter in module.parameters():
                torch.distributed.broadcast(parameter.detach(), 0)

    def trainer_options(self) -> dict[str, Any]:
        """The options of a Lightning Trainer on the CPU: its devices, and its strategy."""
        return {"devices": 1} if self.alone else {"devices": self.part.ranks, "strategy": GradientAveraging(self)}


@contextmanager
def _losing() -> Iterator[None]:
    """Tell errors of the communication from others."""
    try:
        yield
    except RuntimeError as error:
        raise RankLost(str(error)) from error


class _Environment(LightningEnvironment):
    """The processes are there already."""

    def __init__(self, part: UserDivision) -> None:
        super().__init__()
        self._part = part

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def local_rank(self) -> int:
        return self._part.rank


class GradientAveraging(DDPStrategy):
    """Lightning's DDP with gradients that the training module averages in each optimizer step.

    DistributedDataParallel expects one backward pass for each forward pass. An agent's losses have a backward pass each, of networks that
    overlap, and are so small that sending gradients while others are computed gains nothing.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__(cluster_environment=_Environment(ranks.part), process_group_backend="gloo")
        self.ranks = ranks

    def _configure_launcher(self) -> None:
        """The runner has started the processes, and set their threads."""

    def configure_ddp(self) -> None:
        """Begin with the same weights in all ranks."""
        assert isinstance(self.model, pl.LightningModule)
        self.ranks.synchronize(self.model)


def own_part(agent: nn.Module) -> dict[str, Any]:
    """The part of an agent's state dict that ranks do not share: generators, counters and buffers."""
    shared = dict(agent.named_parameters())
    return {name: value for name, value in agent.state_dict().items() if name not in shared}
