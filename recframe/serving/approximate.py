"""Approximate search for large catalogues: a policy's ranking without the scores of all items."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.attribution import items_problem, require_sound
from recframe.interfaces import PAD, Agent, Observation, is_excluded
from recframe.item_agents import ItemAgent, ItemIndex, QueryScores, build_index
from recframe.serving.prepared import PreparedAgent
from recframe.serving.query_error import QueryError

LEAST_PROBES, SHARE = 16, 1 / 8
"""Lists of the index that are searched for each question: this share of about sqrt(M) lists, and no fewer than so many."""


def usual_probes(num_items: int) -> int:
    """The lists that are searched in an index of so many items, unless a setting says how many."""
    return max(LEAST_PROBES, round(SHARE * math.sqrt(num_items)))


class ProductIndex:
    """An approximate index of the items of the largest inner products with a query, whatever their vectors' lengths.

    Each vector v `[d]` gets one more number, sqrt(L^2 - |v|^2), where L is the largest length, and the query a 0 (Bachrach et al., 2014):
    all vectors then have the length L, and the nearest ones are those of the largest products.

    vectors: `[M, d]`.   probes: lists searched for each query; None: `usual_probes`.
    """

    def __init__(self, vectors: Tensor, probes: int | None = None) -> None:
        values = vectors.detach().float()
        lengths = values.norm(dim=1, keepdim=True)
        longest = lengths.max().clamp(min=torch.finfo(torch.float32).tiny)
        rest = (1 - (lengths / longest) ** 2).clamp(min=0).sqrt()
        self._index: ItemIndex = build_index("approximate", torch.cat([values / longest, rest], dim=1), probes or usual_probes(len(values)))

    def search(self, queries: Tensor, k: int) -> Tensor:
        """Most of the k items of the largest products with each query `[N, d]`, `[N, min(k, M)]` int64."""
        return self._index.search(F.pad(F.normalize(queries.float(), dim=1), (0, 1)), min(k, len(self._index)))


class IndexedAgent(PreparedAgent):
    """A prepared agent that ranks the items that an index finds, by their exact scores. Where there are candidates, it ranks these.

    Items of the history are always among those that are ranked: their scores may be other than products.

    Parameters
    ----------
    agent: ranks by `QueryScores`.   name: how messages call it.   probes: see `ProductIndex`.
    index: of the agent's items as they are now; None: it is built at the first question.
    """

    def __init__(self, agent: Agent, name: str, probes: int | None, index: ProductIndex | None = None) -> None:
        super().__init__(agent)
        self.name = name
        self.probes = probes
        self.index = index
        # the index is of the weights as they are now
        self._prepared_once = False

    @torch.no_grad()
    def rank(self, observation: Observation, k: int) -> Tensor:
        """The k best of the items that are found `[N, k]`; `PAD` where there are fewer.

        Raises
        ------
        QueryError: the agent does not rank by products with vectors of items, or faiss is not installed.
        """
        if observation.candidates is not None:
            return super().rank(observation, k)
        unchanged = self.prepare()
        with self.generator_kept():
            scores = self._scores_of(observation)
            self._drew = self._drew_since(self._generator_state)
        if self.index is None or (not unchanged and self._prepared_once):
            self.index = self._built(scores.items)
        self._prepared_once = True
        ranked = best_found(self.index, scores, observation, k)
        if not unchanged:
            problem = items_problem(ranked, "the ranking", self.agent.spec.num_items, padded=True)
            require_sound(self.agent, problem)
        return ranked

    def _scores_of(self, observation: Observation) -> QueryScores:
        scores = self.agent.scores_of_catalogue(observation) if isinstance(self.agent, ItemAgent) else None
        if not isinstance(scores, QueryScores):
            raise QueryError(
                f"search: {self.name} does not rank by products with vectors of items, which an index needs; set search.kind=exact"
            )
        return scores

    def _built(self, vectors: Tensor) -> ProductIndex:
        try:
            return ProductIndex(vectors, self.probes)
        except ValueError:
            raise QueryError("search: approximate needs faiss: pip install 'recframe[faiss]', or set search.kind=exact") from None


def best_found(index: ProductIndex, scores: QueryScores, observation: Observation, k: int) -> Tensor:
    """The k best `[N, k]`, of what the index finds and of the history, among what may be shown; `PAD` where there are fewer."""
    excluded, history = observation.excluded, observation.history_items
    # as many of what is found may be excluded, or be of the history and score less than its product
    room = history.shape[1] + (0 if excluded is None else excluded.shape[1])
    found = index.search(scores.query, k + room)
    again = (history.unsqueeze(2) == found.unsqueeze(1)).any(dim=2)
    again |= (history.unsqueeze(2) == history.unsqueeze(1)).tril(diagonal=-1).any(dim=2)
    items = torch.cat([found, history.masked_fill(again, PAD)], dim=1)
    forbidden = (items == PAD) | is_excluded(observation, items)
    values = scores.of(items.clamp(min=0)).masked_fill(forbidden, -torch.inf)
    best, places = values.topk(min(k, items.shape[1]), dim=1)
    ranked = items.gather(1, places).masked_fill(best == -torch.inf, PAD)
    return F.pad(ranked, (0, k - ranked.shape[1]), value=PAD)
