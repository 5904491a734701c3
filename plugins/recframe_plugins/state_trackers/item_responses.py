"""What a model of responses says about each item, and what texts tell about items that nobody has responded to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recframe.interfaces import TextTable

PENALTIES = np.logspace(-1, 5, 13)
"""Of the ridge regression on standardized text vectors; that with the least error on items that are left out is used."""


class ItemResponses(nn.Module):
    """A row of C numbers for each item: of a fitted model for items in its log, else what a ridge regression on their texts predicts.

    The last column is the noise of an item's response, and `responsive` are those columns whose errors make a response noisier: an item
    whose loadings and mean are only predicted has their mean squared errors, of items that are left out one by one, in its noise.

    texts: the standardized text vectors of the M items, of D numbers, which may be 0: then the mean of the known items is predicted.
    """

    learns_shapes = True

    table: Tensor
    """`[M, C]`."""
    by_text: Tensor
    """The regression `[D + 1, C]`; its last row is the constant."""

    def __init__(self, texts: TextTable, columns: int) -> None:
        super().__init__()
        # the table belongs to another module, which saves it
        self._texts = (texts,)
        (items, length), device = texts.values.shape, texts.values.device
        self.register_buffer("table", torch.zeros(items, columns, device=device))
        self.register_buffer("by_text", torch.zeros(length + 1, columns, device=device))
        for values in (self.table, self.by_text[-1:]):
            values[:, -1] = 1.0  # the noise, which is positive

    def learn(self, rows: Tensor, known: Tensor, unseen: Tensor, responsive: slice) -> None:
        """Take the rows `[M, C]`, of which those that are `unseen` `[M]` are predicted from those that are `known` `[M]`.

        Where fewer than two are known, nothing is predicted.
        """
        self.table.copy_(rows)
        if known.sum() < 2:
            return
        texts = self._texts[0].values
        coefficients, missed = _ridge(texts[known].detach(), rows[known, :-1])
        noise = rows[known, -1].mean() + missed[responsive].sum()
        self.by_text.zero_()
        self.by_text[:, :-1] = coefficients
        self.by_text[-1, -1] = noise
        self.table.copy_(torch.where(unseen[:, None], self._predicted(texts), rows))

    def extend_items(self, num_items: int) -> None:
        """Predict further items at the end of the catalogue."""
        known = len(self.table)
        if num_items > known:
            self.table = torch.cat([self.table, self._predicted(self._texts[0].values[known:num_items])])

    def _predicted(self, texts: Tensor) -> Tensor:
        return texts.detach() @ self.by_text[:-1] + self.by_text[-1]

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        loaded = state_dict.get(f"{prefix}table")
        if loaded is not None and loaded.shape[1:] == self.table.shape[1:]:
            self.table = self.table.new_zeros(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _ridge(texts: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients `[D + 1, C]` of `values` `[n, C]`, the constant last, and the mean squared error `[C]` of values that are left out.

    The penalty of each column is chosen by leaving out one item at a time.
    """
    if not texts.shape[1]:
        return values.mean(dim=0, keepdim=True), values.var(dim=0, correction=0)
    from sklearn.linear_model import RidgeCV  # type: ignore[import-untyped]  # scikit-learn ships no types

    ridge = RidgeCV(PENALTIES, alpha_per_target=True)
    ridge.fit(texts.double().cpu().numpy(), values.double().cpu().numpy())
    coefficients = np.concatenate([ridge.coef_.T, ridge.intercept_[None]])
    return torch.from_numpy(coefficients).to(values), torch.from_numpy(-ridge.best_score_).to(values)
