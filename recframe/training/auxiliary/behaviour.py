"""Behaviour prediction: an auxiliary head on the agent's state tracker that predicts which item a user takes next."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.config import ConfigError
from recframe.config.schema.run import AuxiliaryConfig
from recframe.interfaces import PAD, Agent, Observation, StateTracker, Transition, is_excluded
from recframe.item_agents import sampled_cross_entropy
from recframe.training.auxiliary.head import AuxiliaryHead, require_items, with_own_numbers

HITS = 10
"""A prediction is a hit if the item taken is among this many highest scores."""

MAX_SCORES = 2**24
"""The largest number of scores held at once while hits are counted."""


class BehaviourPrediction(AuxiliaryHead):
    """P(i | s) = exp z_i / sum_j exp z_j with z_i = <W s + w, v_i> / sqrt(d): the item taken, given the state and the item vectors.

    An auxiliary task (Jaderberg et al., 2017; in recommendation, Xin et al., 2020, arXiv:2006.05779): its cross-entropy, times
    `weight`, is added to the loss of the agent's optimizer that trains the state tracker, so that one step serves both losses.

    A training pair is an observation and an item shown to it whose response signal is above zero; each step draws up to `batch_size` pairs
    of the batch. The sum is over the items that may be shown: the observation's candidates, or else all items, without those excluded.
    In a catalogue of more than `whole_catalog_items` the sum is estimated, without bias, from `negatives` items that are drawn uniformly
    and weighted by the inverse of their probability (Bengio & Senecal, 2008).

    Parameters
    ----------
    tracker: the state tracker that the agent was built with.

    Raises
    ------
    ConfigError: actions are not items, the environment has no such signal, or no optimizer of the agent trains the tracker.
    """

    totals: Tensor

    def __init__(self, settings: AuxiliaryConfig, agent: Agent, tracker: StateTracker, seed: int) -> None:
        require_items(agent, "the item taken")
        spec = agent.spec
        if settings.signal not in spec.signals:
            given = ", ".join(spec.signals)
            raise ConfigError([f"auxiliary.signal: the environment gives no signal {settings.signal!r}; it gives: {given}"])
        super().__init__(settings, agent, tracker, seed, outputs=1)
        # since the last log: sum of losses, number of losses, hits, number of tries
        self.register_buffer("totals", torch.zeros(4, dtype=torch.float64, device=spec.device))

    def loss(self, batch: Transition) -> Tensor:
        """The mean cross-entropy of the items taken in a batch `[B]` or `[T, N]`; 0 if none was taken."""
        taken = (batch.response.signals[self.settings.signal] > 0).flatten()
        noise = torch.rand(len(taken), generator=self.generator, device=taken.device)
        # items taken come first, in random order; any others have weight zero
        pairs = (taken + noise).topk(min(self.settings.batch_size, len(taken))).indices
        observation = batch.observation.reshape(-1)[pairs // batch.slate.shape[-1]]
        items, counts = batch.slate.flatten()[pairs], taken[pairs].float()
        losses, query = self._cross_entropy(observation, items)
        total, count = (losses * counts).sum(), counts.sum()
        with torch.no_grad():
            self.totals[:2] += torch.stack([total, count])
            if self.first_of_chunk():
                self.totals[2:] += torch.stack([(self._hits(query, items, observation) * counts).sum(), count])
        loss: Tensor = total / count.clamp(min=1.0)
        return loss

    def _cross_entropy(self, observation: Observation, taken: Tensor) -> tuple[Tensor, Tensor]:
        """-log P `[S]` of the items `taken` `[S]`, and the queries `[S, d]`."""
        tracker, num_items = self.tracker, self.tracker.spec.num_items
        if observation.candidates is not None:
            rows, local, (taken_rows,) = with_own_numbers(observation, [taken])
            vectors = tracker.project_items(rows)
            query = self.queries(tracker(local, vectors))
            chosen = (query * F.embedding(taken_rows, vectors)).sum(dim=1)
            assert local.candidates is not None
            return _of_candidates(query, vectors, local.candidates, observation).logsumexp(dim=1) - chosen, query
        if num_items <= self.settings.whole_catalog_items:
            vectors = tracker.project_items()
            query = self.queries(tracker(observation, vectors))
            scores = query @ vectors.T
            chosen = scores.gather(1, taken.unsqueeze(1)).squeeze(1)
            return _unavailable(scores, observation.excluded).logsumexp(dim=1) - chosen, query
        drawn = torch.randint(num_items, (self.settings.negatives,), generator=self.generator, device=taken.device)
        rows, observation, numbers = with_own_numbers(observation, [taken, drawn])
        vectors = tracker.project_items(rows)
        query = self.queries(tracker(observation, vectors))
        # each stands for M / n items; the item taken is a separate term
        weight = math.log(num_items / len(drawn))
        negatives = drawn.expand(len(taken), -1)
        absent = (negatives == taken.unsqueeze(1)) | is_excluded(observation, negatives)
        of_taken, of_drawn = (F.embedding(rows, vectors) for rows in numbers)
        return sampled_cross_entropy(query, of_taken, of_drawn, weight, absent), query

    def _hits(self, query: Tensor, taken: Tensor, observation: Observation) -> Tensor:
        """Whether fewer than `HITS` other items that may be shown score higher, `[S]` float32; an equal score counts as half an item."""
        vectors, excluded = self.tracker.project_items(), observation.excluded
        chosen = (query * F.embedding(taken, vectors)).sum(dim=1, keepdim=True)
        if observation.candidates is not None:
            scores = _of_candidates(query, vectors, observation.candidates, observation)
            scores = scores.masked_fill(observation.candidates == taken.unsqueeze(1), -torch.inf)
            return ((scores > chosen).sum(dim=1) + 0.5 * (scores == chosen).sum(dim=1) < HITS).float()
        left_out = taken.unsqueeze(1) if excluded is None else torch.cat([taken.unsqueeze(1), excluded], dim=1)
        ahead, block = torch.zeros(chosen.shape, device=chosen.device), max(MAX_SCORES // len(taken), 1)
        for first in range(0, len(vectors), block):
            scores = _unavailable(query @ vectors[first : first + block].T, left_out, first)
            ahead += (scores > chosen).sum(dim=1, keepdim=True) + 0.5 * (scores == chosen).sum(dim=1, keepdim=True)
        return (ahead.squeeze(1) < HITS).float()

    def metrics(self) -> dict[str, float]:
        """Mean loss and hit rate since the last call; a metric without any pairs is left out."""
        loss, losses, hits, tries = self.totals.tolist()
        self.totals.zero_()
        pairs = {"auxiliary/loss": (loss, losses), "auxiliary/hit_rate": (hits, tries)}
        return {name: total / count for name, (total, count) in pairs.items() if count}


def _unavailable(scores: Tensor, items: Tensor | None, first: int = 0) -> Tensor:
    """`scores` `[S, m]` of the items from number `first` on, with -inf for those among `items` `[S, X]`."""
    if items is None:
        return scores
    size = scores.shape[1]
    columns = torch.where((items >= first) & (items < first + size), items - first, size)
    return F.pad(scores, (0, 1)).scatter(1, columns, -torch.inf)[:, :-1]


def _of_candidates(query: Tensor, vectors: Tensor, rows: Tensor, observation: Observation) -> Tensor:
    """The scores `[S, C]` of the observation's candidates, which are `rows` `[S, C]` of `vectors`; -inf for excluded ones."""
    assert observation.candidates is not None
    scores = (F.embedding(rows.clamp(min=0), vectors) @ query.unsqueeze(2)).squeeze(2)
    return scores.masked_fill((rows == PAD) | is_excluded(observation, observation.candidates), -torch.inf)
