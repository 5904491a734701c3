"""The question reward: what it costs to ask."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Catalog, Reward, Transition, asks
from recframe_plugins.rewards.config import QuestionCostConfig


class QuestionCost(Reward):
    """r_1 = -1 for a slate that asks a question, and 0 otherwise; a positive weight makes it a cost.

    An item that is worth its click has weight 1, so the weight is the share of a click that a question costs, in addition to the turn
    that it takes. The price of asking, beside that of a wrong recommendation, decides when to ask (Sun & Zhang, 2018, SIGIR,
    "Conversational Recommender System").
    """

    rates_questions = True
    reads_response = False

    def __init__(self, config: QuestionCostConfig) -> None:
        self.config = config

    def __call__(self, transition: Transition, catalog: Catalog) -> Tensor:
        """The costs `[N, K]`: -1 or 0 at the first place, and 0 at the others."""
        asked = asks(transition.slate, catalog.first_question)
        return F.pad(-asked.float()[:, None], (0, transition.slate.shape[1] - 1))
