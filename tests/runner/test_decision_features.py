"""What the models of off-policy evaluation in a run read of contexts and items."""

import numpy as np
import pytest
import torch

from recframe.evaluation.off_policy.session_evaluation import MAX_FEATURES
from recframe.runner.decision_features import COMPONENTS, features_of_decisions, features_of_sessions


def described(num_contexts, num_items, num_texts, rows=200):
    generator = torch.Generator().manual_seed(0)
    contexts = None if num_contexts is None else torch.randn(rows, num_contexts, generator=generator)
    return contexts, torch.randn(num_items, num_texts, generator=generator)


@pytest.mark.parametrize("num_contexts", [None, 0, 1, 14, 16, 20])
@pytest.mark.parametrize("num_items", [2, 15, 41, 126, 127, 128, 129, 400])
@pytest.mark.parametrize("num_texts", [0, 3, 40])
def test_sessions_never_have_more_products_than_fitted_q_evaluation_takes(num_contexts, num_items, num_texts):
    found = features_of_sessions(*described(num_contexts, num_items, num_texts))
    contexts = 0 if found.contexts is None else found.contexts.shape[1]
    items = num_items if found.items is None else found.items.shape[1]
    assert (contexts + 2) * (items + 1) <= MAX_FEATURES


@pytest.mark.parametrize(
    ("num_contexts", "num_items", "num_texts", "contexts", "items"),
    [
        (20, 13, 40, 16, None),  # there is room for every item
        (20, 14, 40, 15, 14),
        (20, 400, 40, 15, 14),
        (3, 400, 40, 3, 16),
        (20, 400, 3, 16, 3),
        (20, 50, 0, 3, None),  # without texts, the items come before the contexts
        (20, 127, 0, 0, None),
        (20, 128, 0, 16, 0),
    ],
)
def test_both_sides_keep_what_fits(num_contexts, num_items, num_texts, contexts, items):
    found = features_of_sessions(*described(num_contexts, num_items, num_texts))
    assert found.contexts.shape[1] == contexts
    assert (None if found.items is None else found.items.shape[1]) == items


def test_what_is_kept_are_the_leading_principal_components():
    contexts, texts = described(20, 400, 40)
    contexts[:, 7] *= 100
    of_sessions, of_decisions = (make(contexts, texts) for make in (features_of_sessions, features_of_decisions))
    assert of_decisions.contexts.shape[1] == of_decisions.items.shape[1] == COMPONENTS
    np.testing.assert_allclose(of_sessions.contexts, of_decisions.contexts[:, :15])
    assert abs(np.corrcoef(of_sessions.contexts[:, 0], contexts[:, 7])[0, 1]) > 0.999
