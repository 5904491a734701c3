"""Feedback in words: each signal by its name and its value, rounded to a value of a fixed list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.item_agents.prompts.pieces import Tokens, joined_pieces
from recframe.item_agents.prompts.token_table import TokenTable

VALUES = [-10 + half / 2 for half in range(41)] + [*map(float, range(11, 101)), 150.0, 200.0, 300.0, 500.0, 1000.0]
"""Halves from -10 to 10, whole numbers to 100, then a few: ratings and clicks are exact, seconds and counts are rounded."""


class FeedbackText:
    """Texts such as "click 1, rating 4.5"."""

    def __init__(self, tokenizer: Any, signals: Sequence[str], device: torch.device) -> None:
        texts = [f"{', ' if number else ''}{name} {value:g}" for number, name in enumerate(signals) for value in VALUES]
        self.table = TokenTable(tokenizer, texts, 32, device)
        values = torch.tensor(VALUES, device=device)
        self.between = (values[1:] + values[:-1]) / 2

    def of(self, feedback: Tensor, there: Tensor) -> Tokens:
        """The tokens `[N, H, T]` of feedback `[N, H, F]`; none where `there` `[N, H]` is false."""
        nearest = torch.bucketize(feedback.contiguous(), self.between)
        rows = nearest + len(VALUES) * torch.arange(feedback.shape[2], device=feedback.device)
        rows = rows.masked_fill(~there.unsqueeze(2), -1)
        return joined_pieces([self.table.of(rows[..., signal]) for signal in range(feedback.shape[2])])
