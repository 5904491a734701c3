"""Response prediction: an auxiliary head on the agent's state tracker that predicts everything that a user says to what is shown."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.config.schema.run import AuxiliaryConfig
from recframe.interfaces import Agent, Observation, StateTracker, Transition, shown_places, symlog
from recframe.training.auxiliary.head import AuxiliaryHead, require_items, with_own_numbers

COUNT, SUM, SQUARES = 0, 1, 2
"""Rows of what is known of the responses: their number, their sum, and the sum of their squares."""

SMALLEST_VARIANCE = 1e-6
"""Below this, relative to the mean square, a signal is a constant: only its rounding would be learned."""


class ResponsePrediction(AuxiliaryHead):
    """y_f(i, s) = <W_f s + w_f, v_i> / sqrt(d): all signals f of the response to item i, given the state and the item's vector.

    An auxiliary task (Jaderberg et al., 2017) that learns from every response, disliked items included, where behaviour prediction learns
    from items taken alone. The loss is the mean of (y_f - r_f)^2 over what is known, with r_f the signal on the scale of `symlog`, less its
    mean and over its standard deviation, both of all responses that the head has met. So signals of any unit count alike, and a loss of 1
    is that of a head that knows no more than the means.

    A training pair is an observation and an item shown to it; each step draws up to `batch_size` pairs of the batch. A signal that is not a
    number is one that is not known, as are all of a place of a slate where nothing is shown, and a signal that has never differed.

    Parameters
    ----------
    tracker: the state tracker that the agent was built with.

    Raises
    ------
    ConfigError: actions are not items, or no optimizer of the agent trains the tracker.
    """

    totals: Tensor
    met: Tensor
    explained: Tensor

    def __init__(self, settings: AuxiliaryConfig, agent: Agent, tracker: StateTracker, seed: int) -> None:
        require_items(agent, "responses to items")
        self.signals, self.first_question = tuple(agent.spec.signals), agent.spec.first_question
        super().__init__(settings, agent, tracker, seed, outputs=len(self.signals))
        size, device = len(self.signals), agent.spec.device
        # since the last log: sum of losses, number of losses
        self.register_buffer("totals", torch.zeros(2, dtype=torch.float64, device=device))
        # of each signal, of all responses so far
        self.register_buffer("met", torch.zeros(3, size, dtype=torch.float64, device=device))
        # of each signal, since the last log, in what was measured: number, sum, sum of squares, squared errors
        self.register_buffer("explained", torch.zeros(4, size, dtype=torch.float64, device=device))

    def loss(self, batch: Transition) -> Tensor:
        """The mean squared error of the signals in a batch `[B]` or `[T, N]`; 0 if none is known."""
        shown = batch.slate.flatten()
        noise = torch.rand(len(shown), generator=self.generator, device=shown.device)
        pairs = noise.topk(min(self.settings.batch_size, len(shown))).indices
        observation = batch.observation.reshape(-1)[pairs // batch.slate.shape[-1]]
        items = shown[pairs]
        said = torch.stack([symlog(batch.response.signals[name].flatten()[pairs].float()) for name in self.signals], dim=1)
        # where nothing is shown, signals of 0 say nothing of an item
        seen = shown_places(batch.slate, self.first_question).flatten()[pairs]
        targets, known = self._scaled(said, said.isfinite() & (seen & (items >= 0)).unsqueeze(1))
        errors = (self._predicted(observation, items.clamp(min=0)) - targets).square() * known
        total, count = errors.sum(), known.sum()
        with torch.no_grad():
            self.totals += torch.stack([total, count])
            if self.first_of_chunk():
                self.explained += torch.cat([_moments(targets, known), errors.sum(dim=0, keepdim=True)])
        loss: Tensor = total / count.clamp(min=1)
        return loss

    def _predicted(self, observation: Observation, items: Tensor) -> Tensor:
        """The predictions `[S, F]` for one item of each observation, `[S]`."""
        tracker = self.tracker
        if tracker.spec.num_items <= self.settings.whole_catalog_items:
            vectors = tracker.project_items()
        else:
            rows, observation, (items,) = with_own_numbers(observation, [items])
            vectors = tracker.project_items(rows)
        queries = self.queries(tracker(observation, vectors)).unflatten(1, (self.outputs, -1))
        predicted: Tensor = (queries @ F.embedding(items, vectors).unsqueeze(2)).squeeze(2)
        return predicted

    @torch.no_grad()
    def _scaled(self, said: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Signals `[S, F]` less the mean of all met so far, these included, over their standard deviation, and where they tell something.

        A signal that has never differed tells nothing, and counts as not known. What is not known is 0.
        """
        said = said.masked_fill(~known, 0.0)
        self.met += _moments(said, known)
        count = self.met[COUNT].clamp(min=1.0)
        mean, square = self.met[SUM] / count, self.met[SQUARES] / count
        variance = square - mean.square()
        varies = variance > SMALLEST_VARIANCE * square
        scaled = (said - mean) / torch.where(varies, variance, 1.0).sqrt()
        known = known & varies
        return torch.where(known, scaled, 0.0).float(), known

    def metrics(self) -> dict[str, float]:
        """The mean loss since the last call, and the share of each signal's variance that was explained: on each chunk's first batch."""
        loss, losses = self.totals.tolist()
        metrics = {"auxiliary/loss": loss / losses} if losses else {}
        count, total, squares, errors = self.explained
        spread = squares - total.square() / count.clamp(min=1.0)
        for name, of_signal, error in zip(self.signals, spread.tolist(), errors.tolist(), strict=True):
            if of_signal > 0:
                metrics[f"auxiliary/explained_variance/{name}"] = 1.0 - error / of_signal
        self.totals.zero_()
        self.explained.zero_()
        return metrics


def _moments(values: Tensor, known: Tensor) -> Tensor:
    """Number, sum and sum of squares `[3, F]` of the values `[S, F]` that are known; the others are 0."""
    exact = values.double()
    return torch.stack([known.sum(dim=0).double(), exact.sum(dim=0), exact.square().sum(dim=0)])
