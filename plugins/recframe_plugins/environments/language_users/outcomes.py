"""A step of N people who are asked in groups: what they did, and who can be asked together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, asks, shown_places


class VisitOutcomes(NamedTuple):
    """What N people did, filled in while they are asked, group by group.

    click, rating: `[N, K]` float32.   answer: `[N]` float32.   leave: `[N]` bool.   context: `[N]` int64, what they said last.
    """

    click: Tensor
    rating: Tensor
    answer: Tensor
    leave: Tensor
    context: Tensor

    @classmethod
    def of_nothing(cls, slate: Tensor, context: Tensor) -> VisitOutcomes:
        """That of people who have not been asked yet.   slate: `[N, K]`.   context: `[N]`, what they said before."""
        nothing = torch.zeros(slate.shape, device=slate.device)
        nobody = torch.zeros(len(slate), dtype=torch.bool, device=slate.device)
        return cls(nothing, nothing.clone(), nothing[:, 0].clone(), nobody, context.clone())


def asked_together(slate: Tensor, spec: EnvironmentSpec, free: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """The rows `[n]` of people who can be asked together, and the places `[n, k]` of what each is shown of `slate` `[N, K]`.

    Together are those who are shown equally many items, those who are asked about a value, and those who are asked the free question, the
    last one where there is one (`free`). Nothing is shown to whoever is asked a question.
    """
    places = torch.arange(slate.shape[1], device=slate.device)
    if not spec.num_questions:
        yield torch.arange(len(slate), device=slate.device), places.expand(slate.shape)
        return
    asked, shown = asks(slate, spec.first_question), shown_places(slate, spec.first_question)
    in_words = asked & (slate[:, 0] == spec.num_items - 1) if free else torch.zeros_like(asked)
    counts = shown.sum(dim=1)
    for count in counts[~asked].unique().tolist():
        rows = (~asked & (counts == count)).nonzero().squeeze(1)
        yield rows, shown[rows].nonzero()[:, 1].view(-1, count)
    for kind in (asked & ~in_words, in_words):
        if kind.any():
            rows = kind.nonzero().squeeze(1)
            yield rows, places[:0].expand(len(rows), 0)


def drawn_places(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The places `[n]` that `uniform` `[n, 1]` decides among those of the probabilities `[n, S]`."""
    limits = probabilities.cumsum(dim=1)
    # the last sum may be rounded to below 1
    return (uniform >= limits).sum(dim=1).clamp(max=limits.shape[1] - 1)
