"""The run's reward of items in the place of logged ones: what can be known of it, derived again in numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.experience import RewardSum, counterfactual, with_rewards
from recframe.interfaces import PAD, Reward
from recframe.logs import LoggedTransitions
from recframe.testing import toy_data
from recframe.testing.toy import toy_log, toy_spec
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import (
    ClickConfig,
    DiversityConfig,
    FairnessConfig,
    NoveltyConfig,
    QuestionCostConfig,
    RatingConfig,
    RepetitionConfig,
    RetentionConfig,
    SerendipityConfig,
    SkipConfig,
)
from recframe_plugins.rewards.diversity import Diversity
from recframe_plugins.rewards.fairness import Fairness
from recframe_plugins.rewards.novelty import Novelty
from recframe_plugins.rewards.question_cost import QuestionCost
from recframe_plugins.rewards.rating import Rating
from recframe_plugins.rewards.repetition import Repetition
from recframe_plugins.rewards.retention import Retention
from recframe_plugins.rewards.serendipity import Serendipity
from recframe_plugins.rewards.skip import Skip

ITEMS, H, GROUP = 12, 4, 5
DATA = toy_data(num_items=ITEMS, num_users=20)
DATA = DATA._replace(catalog=replace(DATA.catalog, popularity=torch.arange(ITEMS, 0.0, -1.0)))
SPEC = toy_spec(DATA, history_length=H, signals=("click", "rating"))
OF_RESPONSES = {
    "click": (Click(ClickConfig()), 1.0),
    "skip": (Skip(SkipConfig()), 0.5),
    "rating": (Rating(RatingConfig(centre=3.0)), 2.0),
    "serendipity": (Serendipity(SerendipityConfig(window=2)), 1.0),
    "retention": (Retention(RetentionConfig()), 1.0),
}


def rated(terms: dict[str, tuple[Reward, float]]):
    """A log with these rewards, some of its transitions, and items for each: the logged one, some others, and none."""
    log = toy_log(SPEC, 0)
    log = replace(log, rewards=None, users=log.users % 20, feedback=log.feedback.clone())
    log.feedback[::3, 0] = 0.0
    log = with_rewards(log, RewardSum(terms, DATA.catalog, frozenset()), H, SPEC.signals)
    rows = torch.arange(0, len(log), 7)
    transition = LoggedTransitions(log, H, SPEC.signals).at(rows)
    items = torch.randint(ITEMS, (len(rows), GROUP), generator=torch.Generator().manual_seed(1))
    items[:, 1], items[:, 2] = transition.slate[:, 0], PAD
    return log, transition, items


@pytest.mark.parametrize("places", [1, 100, 1 << 17])
def test_items_are_rated_by_what_is_shown_and_the_logged_one_by_what_was_done(monkeypatch, places):
    monkeypatch.setattr(counterfactual, "MAX_PLACES", places)
    repetition = Repetition(RepetitionConfig(window=3, decay=0.5))
    terms = {"novelty": (Novelty(NoveltyConfig()), 0.7), "repetition": (repetition, 2.0)}
    log, transition, items = rated({"click": OF_RESPONSES["click"], "skip": OF_RESPONSES["skip"], **terms})
    found = log.item_rewards(transition, items).numpy()
    counts = np.arange(ITEMS, 0, -1) + 1
    novelty = np.log2(counts / counts.sum()) / np.log2(2 / counts.sum())
    for row, history in enumerate(transition.observation.history_items.tolist()):
        logged, click = int(transition.slate[row]), float(transition.response.signals["click"][row])
        for place, item in enumerate(items[row].tolist()):
            ages = [age for age, other in enumerate(history[:0:-1]) if other == item]
            expected = 0.7 * novelty[item] - 2 * max((0.5**age for age in ages), default=0.0)
            # a click that is not known is not a skip
            expected += click + 0.5 * (click - 1) if item == logged else 0.0
            assert found[row, place] == pytest.approx(0.0 if item == PAD else expected, abs=1e-5)
    assert {0.0, 1.0} == set(transition.response.signals["click"].flatten().tolist())


def test_the_logged_item_is_worth_in_its_place_what_the_log_says():
    diversity = {"diversity": (Diversity(DiversityConfig(window=2)), 0.5), "novelty": (Novelty(NoveltyConfig()), 0.3)}
    log, transition, items = rated(OF_RESPONSES | diversity)
    torch.testing.assert_close(log.item_rewards(transition, items)[:, 1], transition.reward)


def test_nothing_is_known_of_other_items_if_all_terms_read_what_people_did():
    assert rated(OF_RESPONSES)[0].item_rewards is None
    # nor do terms tell items apart that weigh nothing, or are about questions
    same = {"novelty": (Novelty(NoveltyConfig()), 0.0), "question_cost": (QuestionCost(QuestionCostConfig()), 1.0)}
    assert rated({"click": OF_RESPONSES["click"], **same})[0].item_rewards is None


def test_groups_are_compared_with_all_that_is_written_for_the_batch():
    log, transition, items = rated({"fairness": (Fairness(FairnessConfig(head_share=0.25)), 1.0)})
    items = items.clamp(min=0)
    head = np.arange(ITEMS) < 3
    histories = transition.observation.history_items.numpy()
    shown = np.concatenate([np.tile(histories, (1, GROUP))[np.tile(histories, (1, GROUP)) != PAD], items.numpy().ravel()])
    credit = np.where(head, 0.25 - head[shown].mean(), 0.75 - (~head[shown]).mean())
    np.testing.assert_allclose(log.item_rewards(transition, items).numpy(), credit[items.numpy()], atol=1e-6)


def test_terms_see_a_transition_in_which_nothing_happened():
    seen = []

    class Looks(Novelty):
        def __call__(self, transition, catalog):
            seen.append(transition)
            return super().__call__(transition, catalog)

    log, transition, items = rated({"looks": (Looks(NoveltyConfig()), 1.0)})
    transition.observation.excluded = transition.observation.history_items
    seen.clear()
    log.item_rewards(transition, items)
    (shown,) = seen
    assert shown.slate.flatten().tolist() == items.flatten().tolist()
    assert shown.observation.history_items.tolist() == transition.observation.history_items.repeat_interleave(GROUP, dim=0).tolist()
    assert shown.observation.excluded is None
    # the next history ends with the response, as in every environment
    assert torch.equal(shown.next_observation.history_items[:, -1], items.flatten())
    assert not shown.next_observation.history_feedback[:, -1].any()
    assert list(shown.response.signals.keys()) == list(SPEC.signals)
    assert not any(bool(signal.any()) for signal in shown.response.signals.values())
    assert not shown.response.leave.any()
