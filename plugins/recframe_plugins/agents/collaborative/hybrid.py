"""A mixture of recommenders, with weights that held-out interactions decide."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from recframe.interfaces import EnvironmentSpec, Log, Observation
from recframe.item_agents.search import MAX_SCORES, ItemScores
from recframe.logs import observations
from recframe.references.logged import LogScorer

MAX_FITTED = 2**26
"""Scores of each part that the weights are fitted to, 256 MiB: in large catalogues, fewer queries."""
BATCH = 256


class Hybrid(LogScorer):
    """Scores `sum_m w_m s_m / std(s_m)` of several recommenders m; std is over the catalogue, for each user. w >= 0 sums to 1.

    The weights are decided within the training part. The last interaction of up to `max_queries` sequences, drawn at random, is held out,
    and copies of the parts are fitted to the rest. The weights are the maximum-likelihood ones of a conditional logit (McFadden, 1974) of
    which item i was taken, divided by their sum:

        P(i | history) = exp(sum_m theta_m z_mi) / sum_j exp(sum_m theta_m z_mj),   z_m = s_m / std(s_m),   theta >= 0

    This is a convex problem. Afterwards the parts are fitted to the whole log.
    """

    mixture: Tensor

    def __init__(self, spec: EnvironmentSpec, parts: Mapping[str, LogScorer], max_queries: int, seed: int, weights: str = "click") -> None:
        super().__init__(spec, weights)
        self.parts = nn.ModuleDict(parts)
        self.max_queries = max_queries
        self.seed = seed
        self.register_buffer("mixture", torch.full((len(parts),), 1 / len(parts), device=spec.device))

    def learn(self, matrix: sp.csr_matrix, log: Log) -> None:
        """Decide the weights, and fit the parts."""
        held_out = self.held_out_rows(log)
        if len(held_out):
            rest = log_without_rows(log, held_out)
            fitted = [copy.deepcopy(part) for part in self._parts]
            for part in fitted:
                part.fit(rest)
            self.mixture = self.weights_for(fitted, log, held_out).to(self.spec.device)
        for part in self._parts:
            part.fit(log)

    def evidence(self, observation: Observation) -> MixedScores:
        """The weighted, scaled evidence of the parts."""
        return mixed(self._parts, observation, self.mixture)

    @property
    def _parts(self) -> Sequence[LogScorer]:
        return list(self.parts.values())  # type: ignore[arg-type]  # a ModuleDict of scorers

    def held_out_rows(self, log: Log) -> Tensor:
        """The last rows of sequences of two interactions or more, of those where it is a click, `[Q]`, in order."""
        last = log.offsets[1:] - 1
        clicked = log.feedback[last, log.signals.index("click")] > 0
        rows = last[(log.offsets.diff() >= 2) & clicked].cpu()
        size = min(self.max_queries, max(1, MAX_FITTED // log.num_items))
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.seed))[:size]
        return rows[chosen].sort().values.to(log.items.device)

    def weights_for(self, parts: Sequence[LogScorer], log: Log, rows: Tensor) -> Tensor:
        """The weights `[m]` under which the items of the `rows` `[Q]` are most likely, given the histories before them."""
        scores = []
        for some in rows.split(BATCH):
            starts = log.starts[some]
            history = observations(log, starts, some, int((some - starts).max()), self.spec.signals)
            each = [mixed([part], history, self.mixture.new_ones(1)).between(0, log.num_items) for part in parts]
            scores.append(torch.stack(each, dim=2).cpu())
        return conditional_logit(torch.cat(scores), log.items[rows].cpu())


def conditional_logit(scores: Tensor, taken: Tensor) -> Tensor:
    """The weights `[m]`, 0 or more with the sum 1, of `scores` `[Q, M, m]` under which the items `taken` `[Q]` are most likely.

    All are equal if no score says anything.
    """
    queries, _, parts = scores.shape
    of_taken = scores[torch.arange(queries), taken].mean(dim=0)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.tensor(theta, dtype=scores.dtype)
        logits = scores @ weights
        expected = torch.einsum("qi,qim->m", logits.softmax(dim=1), scores) / queries
        return float(logits.logsumexp(dim=1).mean() - of_taken @ weights), (expected - of_taken).double().numpy()

    found = scipy.optimize.minimize(loss, np.full(parts, 0.1), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * parts)
    theta = torch.tensor(found.x, dtype=torch.float32)
    return theta / theta.sum() if theta.sum() > 0 else torch.full((parts,), 1 / parts)


def log_without_rows(log: Log, rows: Tensor) -> Log:
    """The log without the rows `[Q]`, which leave no sequence empty."""
    kept = torch.ones(len(log), dtype=torch.bool, device=rows.device)
    kept[rows] = False
    parts = {name: value[kept] for name in ("rewards", "propensities", "features") if (value := getattr(log, name)) is not None}
    left = torch.nn.functional.pad(kept.long().cumsum(0), (1, 0))
    return replace(
        log,
        users=log.users[kept],
        items=log.items[kept],
        timestamps=log.timestamps[kept],
        feedback=log.feedback[kept],
        offsets=left[log.offsets],
        **parts,
    )


class MixedScores(NamedTuple):
    """Scores of items for N users: sums of other scores with weights `[N, m]` for each user. They satisfy `ItemScores`."""

    parts: Sequence[ItemScores]
    weights: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """Scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return torch.stack([part.of(chosen) * self.weights[:, [m]] for m, part in enumerate(self.parts)]).sum(dim=0)

    def between(self, first: int, last: int) -> Tensor:
        """Scores `[N, last - first]` of the items from number `first` to before `last`."""
        return torch.stack([part.between(first, last) * self.weights[:, [m]] for m, part in enumerate(self.parts)]).sum(dim=0)


def mixed(parts: Sequence[LogScorer], observation: Observation, weights: Tensor) -> MixedScores:
    """The evidence of the parts with `weights` `[m]`, each divided by its standard deviation over the catalogue, for each user."""
    evidence = [part.evidence(observation) for part in parts]
    deviations = [deviation(scores, parts[0].spec.first_question, len(observation.user)) for scores in evidence]
    return MixedScores(evidence, weights / torch.stack(deviations, dim=1))


def deviation(scores: ItemScores, num_items: int, users: int) -> Tensor:
    """The standard deviation of each user's scores, `[N]`; 1 where all are equal. In bounded memory, in double precision."""
    size = max(1, MAX_SCORES // max(1, users))
    sums = squares = torch.zeros(())
    for first in range(0, num_items, size):
        part = scores.between(first, min(first + size, num_items)).double()
        sums, squares = sums.to(part.device) + part.sum(dim=1), squares.to(part.device) + part.square().sum(dim=1)
    variance = (squares / num_items - (sums / num_items).square()).clamp(min=0.0)
    found = variance.sqrt().float()
    return torch.where(found > 1e-9, found, 1.0)
