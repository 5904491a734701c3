"""Learning-rate schedules: one factor for all optimizers of a run, as a function of the share of its env steps that is done."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from recframe.config.schema.run import TrainerConfig

INITIAL = "initial_lr"
"""The key of a parameter group's own learning rate, as in `torch.optim.lr_scheduler`; it is saved with the optimizer."""


def schedule_factor(settings: TrainerConfig, progress: float) -> float:
    """The factor of all learning rates after the share `progress` (0 to 1) of the env steps.

    It rises linearly from 0 during the warm-up, a share w of the run. Afterwards, with t = (progress - w) / (1 - w) and the last factor e,
    it is 1 (constant), 1 - (1 - e) t (linear), or e + (1 - e) (1 + cos(pi t)) / 2 (cosine; Loshchilov & Hutter, 2017, equation 5).
    """
    warmup, end = settings.learning_rate_warmup, settings.learning_rate_end or 0.0
    if progress < warmup:
        return progress / warmup
    rest = min((progress - warmup) / (1.0 - warmup), 1.0)
    match settings.learning_rate_schedule:
        case "linear":
            return 1.0 - (1.0 - end) * rest
        case "cosine":
            return end + (1.0 - end) * (1.0 + math.cos(math.pi * rest)) / 2.0
        case _:
            return 1.0


class LearningRates:
    """Sets the learning rates of optimizers. A run that resumes goes on with the schedule: it depends on the env steps only."""

    def __init__(self, settings: TrainerConfig) -> None:
        self.settings = settings
        self.changes = settings.learning_rate_schedule != "constant" or settings.learning_rate_warmup > 0

    def set(self, optimizers: Mapping[str, torch.optim.Optimizer], progress: float) -> None:
        """Set all rates for this share of the env steps."""
        if not self.changes:
            return
        factor = schedule_factor(self.settings, progress)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = factor * group.setdefault(INITIAL, group["lr"])

    def metrics(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> dict[str, float]:
        """The learning rate of each optimizer, if rates change."""
        return {f"learning_rate/{name}": float(one.param_groups[0]["lr"]) for name, one in optimizers.items() if self.changes}
