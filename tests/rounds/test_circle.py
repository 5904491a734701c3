"""What an exploring policy logged says what another policy is worth, by chances of a click that are known. Without HTTP, many times.

The same with a server and a simulator is in `test_circle_over_http.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

import recframe
from recframe.evaluation.off_policy.decisions import logged_decisions
from recframe.evaluation.off_policy.evaluation import evaluate_off_policy
from recframe.evaluation.off_policy.policies import ranking_policy
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem
from recframe.feedback.export import export_log
from recframe.feedback.store import FeedbackStore
from recframe.serving.exploration import ExplorationConfig, Explorer
from recframe.serving.question import Question
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from tests.rounds.conftest import ITEMS, NOW

PEOPLE, VISITS = 250, 4


def chance(before: np.ndarray, item: np.ndarray) -> np.ndarray:
    """People who took `before` take the next item most, the one after it often, and others seldom."""
    step = (item - before) % ITEMS
    return np.select([step == 1, step == 2], [0.6, 0.3], 0.1)


def second(before: np.ndarray) -> np.ndarray:
    """The policy that is to be judged: right for half of the people."""
    return np.where(before % 2 == 0, before + 1, before + 3) % ITEMS


TRUE = float(chance(np.arange(ITEMS), second(np.arange(ITEMS))).mean())


def logged(policy, url: str, seed: int) -> np.ndarray:
    """Let people ask the exploring policy, each time with what they took before, and store all; returns what they took `[n]`."""
    draw = np.random.default_rng(seed)
    explorer = Explorer(ExplorationConfig("epsilon", 0.5), seed)
    before = draw.integers(ITEMS, size=PEOPLE * VISITS)
    # moods differ between people: their visits are not independent
    mood = np.repeat(draw.uniform(-0.08, 0.08, PEOPLE), VISITS)
    questions = [Question(history=[str(item)], k=1) for item in before]
    answers = policy.recommend_many(questions, explorer=explorer)
    shown = np.array([int(answer[0].id) for answer in answers])
    clicks = draw.random(len(before)) < chance(before, shown) + mood
    with FeedbackStore.open(url) as store:
        store.record_signals(["click"])
        decisions = [
            RecordedDecision(
                f"r{row:05}",
                NOW + row,
                f"s{row}",
                f"p{row // VISITS}",
                "main",
                policy.version,
                [ShownItem(answer[0].id, answer[0].propensity)],
            )
            for row, answer in enumerate(answers)
        ]
        feedback = [RecordedFeedback(f"r{row:05}", str(shown[row]), {"click": 1.0}, NOW + row) for row in np.flatnonzero(clicks)]
        store.record(decisions, feedback)
    return before


@pytest.mark.parametrize(("repetitions", "least"), [(4, 3), pytest.param(100, 93, marks=pytest.mark.evidence)])
def test_intervals_from_the_feedback_of_an_exploring_policy_cover_the_value_of_a_second_one(artefact, tmp_path, repetitions, least):
    policy, covered, values = recframe.load_policy(artefact), 0, []
    for seed in range(repetitions):
        url = f"sqlite:///{tmp_path}/{seed}.db"
        before = logged(policy, url, seed)
        with FeedbackStore.open(url) as store:
            export_log(store, tmp_path / f"{seed}.parquet")
        data = BanditLog(BanditLogConfig(interactions=str(tmp_path / f"{seed}.parquet"))).load()
        decisions = logged_decisions(data.interactions, len(data.catalog), "click")
        rows = {item: row for row, item in enumerate(data.catalog.ids)}
        choices = np.array([rows[str(item)] for item in second(before)])
        found = evaluate_off_policy(decisions, {"second": ranking_policy(lambda some, chosen=choices: chosen[some, None], len(rows))})
        value = found.policies["second"]["value"]
        covered += value["low"] <= TRUE <= value["high"]
        values.append(value["mean"])
    print(f"{covered} of {repetitions} intervals cover {TRUE:.4f}; the mean estimate is {np.mean(values):.4f}")
    assert covered >= least
    assert np.mean(values) == pytest.approx(TRUE, abs=0.05)
