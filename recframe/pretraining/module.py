"""The LightningModule that pretrains a language model, and its perplexity on held-out texts."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from recframe.config.schema.pretraining import PretrainConfig
from recframe.interfaces import LanguageModel
from recframe.pretraining.texts import Batch
from recframe.training import TrainingDiverged

log = logging.getLogger(__name__)

COUNTER = "steps"


@torch.no_grad()
def perplexity(model: LanguageModel, batches: Sequence[Batch]) -> float:
    """exp of the mean negative log-likelihood of the tokens to predict in the batches, without dropout.

    It is computed in the precision of the weights, whatever the precision of training. For masked tokens it is a pseudo-perplexity (Salazar
    et al., 2020), estimated on the tokens that are masked in these batches.
    """
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    total, tokens = 0.0, 0
    # Lightning casts in validation but not before training; without this, their results would not be comparable
    with torch.autocast(device.type, enabled=False):
        for batch in batches:
            loss = model.loss({name: values.to(device) for name, values in batch.items()})
            total, tokens = total + float(loss.total), tokens + loss.tokens
    model.train(training)
    # the loss of a diverged model may overflow a float
    return math.exp(min(total / max(tokens, 1), 700.0)) if math.isfinite(total) else math.inf


class PretrainingModule(pl.LightningModule):
    """AdamW (Loshchilov and Hutter, 2019) with a learning rate that rises linearly and then falls linearly to zero.

    Attributes
    ----------
    measured: the latest held-out perplexity, and the number of steps after which it was measured.
    """

    def __init__(
        self, model: LanguageModel, settings: PretrainConfig, *, steps: int, learning_rate: float, held_out: Sequence[Batch]
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.steps = steps
        self.learning_rate = learning_rate
        self.held_out = held_out
        # a loaded model is in eval mode, which Lightning does not change
        model.train()
        self.measured = (perplexity(model, held_out), 0)
        self._losses: list[Tensor] = []
        self._best: tuple[float, dict[str, Tensor]] = (math.inf, {})

    def configure_optimizers(self) -> Any:
        """AdamW and its schedule, without weight decay for biases and norms."""
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        groups = [
            {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": self.settings.weight_decay},
            {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate)
        rising = max(round(self.settings.warmup * self.steps), 1)

        def factor(step: int) -> float:
            return min((step + 1) / rising, (self.steps - step) / max(self.steps - rising, 1))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss over the tokens to predict in a batch."""
        loss = self.model.loss(batch)
        mean = loss.total / max(loss.tokens, 1)
        self._losses.append(mean.detach())
        return mean

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Measure; Lightning calls it at fixed intervals."""
        self.measure()

    def measure(self) -> float:
        """The current held-out perplexity, measured at most once per step and logged."""
        if self.measured[1] == self.global_step:
            return self.measured[0]
        loss = float(torch.stack(self._losses).mean())
        self._losses = []
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"training diverged: the loss is no longer finite after {self.global_step} steps. Try a smaller pretrain.learning_rate"
            )
        value = perplexity(self.model, self.held_out)
        self.measured = (value, self.global_step)
        log.info("%d of %d steps: held-out perplexity %.4g, loss %.3f", self.global_step, self.steps, value, loss)
        self.send({"train/loss": loss, "eval/perplexity": value})
        if self.settings.final_weights == "best" and value < self._best[0]:
            self._best = (value, {name: weights.detach().cpu().clone() for name, weights in self.model.state_dict().items()})
        return value

    def finish(self) -> float:
        """Load the weights that the settings ask for into the model; returns their held-out perplexity."""
        latest = self.measure()
        value, weights = self._best
        if not weights:
            return latest
        self.model.load_state_dict(weights)
        return value

    def send(self, metrics: dict[str, float]) -> None:
        """Send metrics of the current step to every logger."""
        for logger in self.loggers:
            logger.log_metrics({COUNTER: float(self.global_step), **metrics}, step=self.global_step)
