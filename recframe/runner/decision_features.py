"""Contexts and items of logged decisions as few numbers: what the models of off-policy evaluation in a run read of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recframe.evaluation.off_policy.session_evaluation import MAX_FEATURES

COMPONENTS = 16
"""Of a context's features, and of items' text vectors, models read the leading principal components."""
ITEMS_ONE_BY_ONE = 128
"""The largest catalogue in which models know the items one by one, and not by their texts."""


class DecisionFeatures(NamedTuple):
    """What a model reads. contexts: `[n, X]`, or None: there are none.   items: `[M, Z]`, or None: items are known one by one."""

    contexts: np.ndarray | None
    items: np.ndarray | None


def features_of_decisions(contexts: Tensor | None, texts: Tensor) -> DecisionFeatures:
    """For models of the reward of a decision.

    contexts: the features of the logged rows, `[n, D]`.   texts: the items' text vectors, `[M, D]`.
    """
    items = None if len(texts) <= ITEMS_ONE_BY_ONE else _components(texts, COMPONENTS)
    return DecisionFeatures(None if contexts is None else _components(contexts, COMPONENTS), items)


def features_of_sessions(contexts: Tensor | None, texts: Tensor) -> DecisionFeatures:
    """For fitted-Q evaluation, which takes no more than `MAX_FEATURES` products: `(X + 2) (Z + 1)`, with the step and the constants.

    The items are known one by one if that leaves room for the contexts, else by as many components of their texts as fit beside those of
    the contexts. Without texts, the contexts are cut until the items fit one by one; where even that is too much, nothing is known of them.
    """
    num_contexts = 0 if contexts is None else min(contexts.shape[1], COMPONENTS)
    num_items, num_texts = len(texts), min(texts.shape[1], COMPONENTS)
    one_by_one = num_items <= ITEMS_ONE_BY_ONE and _fit(0 if num_texts == 0 else num_contexts, num_items)
    if one_by_one:
        num_texts = num_items
    while not _fit(num_contexts, num_texts):
        # one by one, there is no item to leave out
        if one_by_one or num_contexts > num_texts:
            num_contexts -= 1
        else:
            num_texts -= 1
    items = None if one_by_one else _components(texts, num_texts)
    return DecisionFeatures(None if contexts is None else _components(contexts, num_contexts), items)


def _fit(num_contexts: int, num_items: int) -> bool:
    return (num_contexts + 2) * (num_items + 1) <= MAX_FEATURES


def _components(vectors: Tensor, count: int) -> np.ndarray:
    """The `count` leading principal components of the rows of `vectors` `[n, D]`, `[n, z]`; all that there is if D is no more."""
    values = vectors.double().cpu()
    if values.shape[1] <= count:
        return np.asarray(values.numpy())
    centred = values - values.mean(dim=0)
    left, lengths, _ = torch.linalg.svd(centred, full_matrices=False)
    return np.asarray((left * lengths)[:, :count].numpy())
