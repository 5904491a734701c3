"""A prior over candidates as a term of items' scores, w log P(i), with a learned weight w."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recframe.interfaces import Observation
from recframe.item_agents.item_columns import ItemColumns, located


@dataclass(eq=False)
class PriorScores:
    """Terms for each user's candidates; 0 for all other items.

    candidates: `[N, C]` int64, filled up with `PAD`.   values: `[N, C]` float32, what each adds to its item's score.
    """

    candidates: Tensor
    values: Tensor

    def of(self, chosen: Tensor) -> Tensor:
        """The terms `[N, X]` of the items numbered `chosen` `[N, X]`."""
        return located(self.candidates, self.values, chosen)

    def over(self, columns: ItemColumns) -> Tensor:
        """The terms `[N, m]` of the items in `columns`."""
        return columns.place(self.candidates, self.values)


class PriorWeight(nn.Module):
    """w log P(i), with the log-probabilities of `Observation.prior`, centred over each user's candidates, and a learned scalar w.

    In a softmax policy, w = 1 starts from the prior's own probabilities, and 0 from none. The sum of scores and log-probabilities is the
    logarithm of a product of experts (Hinton, 2002).
    """

    def __init__(self, start: float, device: torch.device) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start, device=device))

    def forward(self, observation: Observation) -> PriorScores | None:
        """The terms; None where the observation has no candidates."""
        if observation.candidates is None:
            return None
        if observation.prior is None:
            raise ValueError("the observation has no prior: complete it first with Agent.completed")
        return PriorScores(observation.candidates, self.weight * observation.prior)


def prior_weight(start: float | None, device: torch.device) -> PriorWeight | None:
    """The weight that starts at `EnvironmentSpec.prior_weight`; None: there is no prior."""
    return None if start is None else PriorWeight(start, device)


def prior_weights(agent: nn.Module) -> dict[str, Tensor]:
    """The learned weights by the names of the networks that have one, for logs; not those of target networks, which follow others."""
    found = {name: module.weight for name, module in agent.named_modules() if isinstance(module, PriorWeight)}
    return {f"prior_weight/{name.removesuffix('.prior')}": weight.detach() for name, weight in found.items() if weight.requires_grad}
