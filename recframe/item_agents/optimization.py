"""The optimizer of the built-in agents, and the update of target networks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def adam(parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Adam:
    """Adam (Kingma and Ba, 2015, arXiv:1412.6980), updating all parameters together: on a CPU, PyTorch's default updates one by one."""
    return torch.optim.Adam(parameters, lr=learning_rate, foreach=True)


class TargetUpdate:
    """Moves a target network towards the `online` network it was copied from: theta' + rate (theta - theta').

    Lillicrap et al. (2016, arXiv:1509.02971), section 3; a rate of 1 copies (Mnih et al., 2015). Buffers are copied.
    Parameters are collected once, because collecting them takes longer than moving them: they may be overwritten, not replaced.
    """

    def __init__(self, target: nn.Module, online: nn.Module, rate: float) -> None:
        self.rate = rate
        self._parameters = list(zip(target.parameters(), online.parameters(), strict=True))
        modules = zip(target.modules(), online.modules(), strict=True)
        self._with_buffers = [(mine, other) for mine, other in modules if any(True for _ in mine.buffers(recurse=False))]

    @torch.no_grad()
    def __call__(self) -> None:
        """Move the target network once."""
        for target, online in self._parameters:
            target.lerp_(online, self.rate)
        for mine, other in self._with_buffers:
            for buffer, source in zip(mine.buffers(recurse=False), other.buffers(recurse=False), strict=True):
                buffer.copy_(source)
