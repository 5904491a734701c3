"""Leaving out what an explanation finds important lowers the item's standing more than leaving out as much at random."""

from __future__ import annotations

import numpy as np
import pytest

from recframe.explanations.faithfulness import Deletion, deletions
from recframe.serving.question import Question


@pytest.fixture(scope="module")
def questions(world):
    generator, found = np.random.default_rng(7), []
    profiles = world.data.users.profiles.texts
    for number in range(24):
        items = generator.choice(40, 6, replace=False)
        history = [(f"item-{item}", {"click": float(click)}) for item, click in zip(items, generator.integers(2, size=6), strict=True)]
        found.append(Question(history, profile=profiles[number]))
    return found


@pytest.fixture(scope="module")
def falls(world, questions):
    return deletions(world, questions, ("history", "profile", "item"), k=3, draws=4)


@pytest.mark.parametrize("of", ["history", "profile", "item"])
def test_what_is_found_important_matters_more_than_what_is_not(falls, of):
    difference = falls[of].difference
    assert difference.low > 0
    assert falls[of].attributed.mean() > 2 * max(falls[of].random.mean(), 0.0)


def test_explanations_that_are_turned_around_fail_the_test(world, questions, monkeypatch):
    from recframe.explanations import faithfulness

    right = faithfulness._effects
    monkeypatch.setattr(faithfulness, "_effects", lambda *about: [-effect for effect in right(*about)])
    assert deletions(world, questions[:12], ("history",), k=3, draws=4)["history"].difference.high < 0


def test_the_interval_is_of_the_difference_over_questions():
    found = Deletion(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 2.0]))
    assert found.difference.mean == pytest.approx(1.0)
    assert found.difference.n == 3
