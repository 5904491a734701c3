"""Behaviour prediction: an auxiliary head on the agent's state tracker that predicts which item a user takes next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.config import ConfigError
from recframe.config.schema.run import AuxiliaryConfig
from recframe.interfaces import PAD, Agent, Observation, Shared, StateTracker, Transition, is_excluded, restore_generator
from recframe.item_agents import renumbered, sampled_cross_entropy

HITS = 10
"""A prediction is a hit if the item taken is among this many highest scores."""

MAX_SCORES = 2**24
"""The largest number of scores held at once while hits are counted."""


class BehaviourPrediction(nn.Module):
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
        super().__init__()
        spec = agent.spec
        if spec.actions != "items":
            raise ConfigError(
                ["auxiliary.weight: the item taken can be predicted only where actions are items, and here they are not; set it to 0"]
            )
        if settings.signal not in spec.signals:
            given = ", ".join(spec.signals)
            raise ConfigError([f"auxiliary.signal: the environment gives no signal {settings.signal!r}; it gives: {given}"])
        self.settings = settings
        self.optimizer = _optimizer_of(agent, tracker)
        self._tracker = Shared(tracker)  # belongs to the agent, which saves and moves it
        self.generator = torch.Generator(spec.device).manual_seed(seed)
        # PyTorch's own initialization, but from a generator that nothing else uses
        linear = nn.utils.skip_init(nn.Linear, tracker.state_dim, tracker.item_dim, device=spec.device)
        self.query: nn.Linear = linear
        for parameter in self.query.parameters():
            bound = 1.0 / math.sqrt(tracker.state_dim)
            nn.init.uniform_(parameter, -bound, bound, generator=self.generator)
        # since the last log: sum of losses, number of losses, hits, number of tries
        self.register_buffer("totals", torch.zeros(4, dtype=torch.float64, device=spec.device))
        self._measured = False

    def add_to(self, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
        """Add the head's parameters to the optimizer that trains the tracker; call it before the optimizer's state is loaded."""
        first = next(parameter for parameter in self._tracker.values.parameters() if parameter.requires_grad)
        group = next(group for group in optimizers[self.optimizer].param_groups if any(own is first for own in group["params"]))
        group["params"].extend(self.query.parameters())

    def start_chunk(self) -> None:
        """Count hits again in the next batch: the first of a new chunk, before the agent learns from that chunk."""
        self._measured = False

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
            if not self._measured:
                self.totals[2:] += torch.stack([(self._hits(query, items, observation) * counts).sum(), count])
                self._measured = True
        loss: Tensor = total / count.clamp(min=1.0)
        return loss

    def _cross_entropy(self, observation: Observation, taken: Tensor) -> tuple[Tensor, Tensor]:
        """-log P `[S]` of the items `taken` `[S]`, and the queries `[S, d]`."""
        tracker, num_items = self._tracker.values, self._tracker.values.spec.num_items
        if observation.candidates is not None:
            rows, local, (taken_rows,) = _renumbered(observation, [taken])
            vectors = tracker.project_items(rows)
            query = self._query(tracker(local, vectors))
            chosen = (query * F.embedding(taken_rows, vectors)).sum(dim=1)
            assert local.candidates is not None
            return _of_candidates(query, vectors, local.candidates, observation).logsumexp(dim=1) - chosen, query
        if num_items <= self.settings.whole_catalog_items:
            vectors = tracker.project_items()
            query = self._query(tracker(observation, vectors))
            scores = query @ vectors.T
            chosen = scores.gather(1, taken.unsqueeze(1)).squeeze(1)
            return _unavailable(scores, observation.excluded).logsumexp(dim=1) - chosen, query
        drawn = torch.randint(num_items, (self.settings.negatives,), generator=self.generator, device=taken.device)
        rows, observation, numbers = _renumbered(observation, [taken, drawn])
        vectors = tracker.project_items(rows)
        query = self._query(tracker(observation, vectors))
        # each stands for M / n items; the item taken is a separate term
        weight = math.log(num_items / len(drawn))
        negatives = drawn.expand(len(taken), -1)
        absent = (negatives == taken.unsqueeze(1)) | is_excluded(observation, negatives)
        of_taken, of_drawn = (F.embedding(rows, vectors) for rows in numbers)
        return sampled_cross_entropy(query, of_taken, of_drawn, weight, absent), query

    def _query(self, state: Tensor) -> Tensor:
        query: Tensor = self.query(state)
        scaled: Tensor = query / query.shape[1] ** 0.5
        return scaled

    def _hits(self, query: Tensor, taken: Tensor, observation: Observation) -> Tensor:
        """Whether fewer than `HITS` other items that may be shown score higher, `[S]` float32; an equal score counts as half an item."""
        vectors, excluded = self._tracker.values.project_items(), observation.excluded
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

    def get_extra_state(self) -> dict[str, Any]:
        """The generator's state, which is saved with the weights."""
        return {"generator": self.generator.get_state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the generator."""
        restore_generator(self.generator, state["generator"])


def _optimizer_of(agent: Agent, tracker: StateTracker) -> str:
    """The name of the agent's optimizer that trains the tracker."""
    wanted = {id(parameter) for parameter in tracker.parameters() if parameter.requires_grad}
    if wanted and any(module is tracker for module in agent.modules()):
        for name, optimizer in agent.optimizers().items():
            if wanted <= {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}:
                return name
    what = f"{type(agent).__name__} trains no state tracker by gradients"
    raise ConfigError([f"auxiliary.weight: {what}; set it to 0, or use an agent that does, such as dqn"])


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


def _renumbered(observation: Observation, named: list[Tensor]) -> tuple[Tensor, Observation, list[Tensor]]:
    """The different items `[R]` that the observation or `named` contain; and both with items numbered by their row among these.

    Excluded items keep their numbers: no tracker reads them.
    """
    fields = [name for name in ("history_items", "candidates") if getattr(observation, name) is not None]
    rows, found = renumbered([getattr(observation, name) for name in fields] + named)
    copy = observation.clone(recurse=False)
    for name, numbers in zip(fields, found, strict=False):
        setattr(copy, name, numbers)
    return rows, copy, found[len(fields) :]
