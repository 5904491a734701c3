"""The most similar items, by the vectors that a policy reads of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.explanations.explanation import Neighbour
from recframe.interfaces import Agent, Catalog, ItemProjection, tables_of

IN_HISTORY, IN_CATALOGUE = 3, 5


@torch.no_grad()
def vectors_read(agent: Agent, catalog: Catalog) -> Tensor | None:
    """The vectors `[M, d]` of length one that an agent reads of items: projected if it projects them; None: it reads none."""
    for module in agent.modules():
        if isinstance(module, ItemProjection):
            return F.normalize(module(), dim=1)
    tables = tables_of(agent, catalog.text_vectors)
    return F.normalize(tables[0].values, dim=1) if tables and tables[0].values.shape[1] else None


def neighbours(vectors: Tensor, catalog: Catalog, item: int, among: Sequence[int] | None) -> tuple[Neighbour, ...]:
    """The items nearest to `item` by the cosine, `among` these, each once; None: in the whole catalogue, without itself."""
    if among is None:
        similar = vectors @ vectors[item]
        similar[item] = -torch.inf
        numbers, count = torch.arange(len(vectors)), min(IN_CATALOGUE, len(vectors) - 1)
    else:
        numbers = torch.tensor(list(dict.fromkeys(among)), dtype=torch.int64)
        similar, count = vectors[numbers] @ vectors[item], min(IN_HISTORY, len(numbers))
    values, places = similar.topk(count)
    titles = catalog.attributes["title"]
    found = zip(numbers[places].tolist(), values.tolist(), strict=True)
    return tuple(Neighbour(catalog.ids[number], str(titles[number]), value) for number, value in found)
