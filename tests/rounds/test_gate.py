"""The gate on synthetic bandits: worse policies are kept out, better ones let in, and where the log says nothing it says so."""

from __future__ import annotations

import numpy as np
import pytest

from recframe.evaluation.off_policy.decisions import LoggedDecisions
from recframe.rounds.gate import GateSettings, judge_policies

ITEMS, KINDS = 10, 4


class Bandit:
    """People of four kinds; of each kind one item is best (0.5), one is middling (0.3), and the others are poor (0.1)."""

    def __init__(self, seed, decisions=6_000, people=400, epsilon=0.5):
        draw = np.random.default_rng(seed)
        self.people = draw.integers(people, size=decisions)
        self.kind = self.people % KINDS
        self.best, self.middling = self.kind, self.kind + KINDS
        # what is served is right for half of the people, and middling for the others
        self.served = np.where(self.people % 8 < 4, self.best, self.middling)
        drawn = draw.random(decisions) < epsilon
        self.shown = np.where(drawn, draw.integers(ITEMS, size=decisions), self.served)
        self.propensity = epsilon / ITEMS + (1 - epsilon) * (self.shown == self.served)
        # people differ in how much they click at all
        self.mood = draw.uniform(-0.05, 0.05, people)[self.people]
        self.reward = (draw.random(decisions) < self.chance(self.shown)).astype(float)

    def chance(self, items):
        return 0.1 + 0.4 * (items == self.best) + 0.2 * (items == self.middling) + self.mood

    def value(self, items):
        return self.chance(items).mean()

    @property
    def log(self):
        contexts = np.eye(KINDS)[self.kind]
        return LoggedDecisions(self.shown, self.reward, self.propensity, self.people, ITEMS, contexts=contexts)

    @property
    def worse(self):
        return np.where(self.people % 3 == 0, self.served, 8 + self.people % 2)


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 23), marks=pytest.mark.evidence)])
def test_a_worse_policy_is_refused_and_a_better_one_let_in(seeds):
    for seed in seeds:
        bandit = Bandit(seed)
        worse = judge_policies(bandit.log, bandit.served, bandit.worse)
        better = judge_policies(bandit.log, bandit.served, bandit.best)
        assert better.decision == "not worse", (seed, better.reason)
        # one that is refused for lack of evidence is refused, too
        assert worse.decision in ("worse", "cannot tell"), (seed, worse.reason)
        assert not worse.lets_in
        assert better.lets_in
        assert better.low <= bandit.value(bandit.best) - bandit.value(bandit.served) + 0.05
        # by what was seen of their differences, and not for want of any
        assert better.low >= 0
        assert min(better.differing, worse.differing) > 0.4
        assert min(better.effective_old, better.effective_new) >= GateSettings().effective


@pytest.mark.evidence
def test_the_interval_covers_the_true_difference_and_equal_policies_are_seldom_let_in():
    covered, found, let_in = 0, 0, 0
    for seed in range(200):
        bandit = Bandit(seed, epsilon=0.6)
        for new in (bandit.best, bandit.worse):
            verdict = judge_policies(bandit.log, bandit.served, new)
            if np.isfinite(verdict.low):
                found += 1
                covered += verdict.low <= bandit.value(new) - bandit.value(bandit.served) <= verdict.high
        # equally good: right for the people for whom the other is not
        other = np.where(bandit.people % 8 < 4, bandit.middling, bandit.best)
        gain = bandit.value(other) - bandit.value(bandit.served)
        let_in += judge_policies(bandit.log, bandit.served, other, GateSettings(margin=-gain)).lets_in
    print(f"{covered} of {found} intervals cover the difference; of 200 policies that are equally good, {let_in} are let in")
    assert found >= 300
    assert covered >= 0.93 * found
    assert let_in <= 0.05 * 200


def test_the_estimate_is_the_doubly_robust_one_of_the_paper():
    from recframe.evaluation.off_policy.reward_models import fit_reward_model, folds_of

    bandit = Bandit(0)
    log, new = bandit.log, bandit.best
    model = fit_reward_model(log.rewards, log.actions, log.contexts, np.eye(ITEMS), folds_of(log.people))
    predicted = model.predict(np.arange(len(log)))
    rows = np.arange(len(log))

    def value(choice):
        right = (log.actions == choice) / log.propensities
        return (predicted[rows, choice] + right * (log.rewards - predicted[rows, log.actions])).mean()

    found = judge_policies(log, bandit.served, new)
    assert found.difference == pytest.approx(value(new) - value(bandit.served))
    assert (found.old, found.new) == (pytest.approx(value(bandit.served)), pytest.approx(value(new)))
    assert found.decisions == len(log)


def test_a_margin_lets_in_what_is_a_little_worse_at_most():
    bandit = Bandit(1, epsilon=0.8)
    slightly = np.where(bandit.people % 8 < 2, bandit.middling, bandit.served)
    found = judge_policies(bandit.log, bandit.served, slightly)
    assert not found.lets_in
    assert judge_policies(bandit.log, bandit.served, slightly, GateSettings(margin=0.15)).lets_in
    assert found.low == pytest.approx(judge_policies(bandit.log, bandit.served, slightly, GateSettings(margin=0.15)).low)


def test_where_the_log_says_nothing_the_gate_cannot_tell():
    def told(bandit, new=None, **changes):
        log = LoggedDecisions(**{**vars(bandit.log), **changes})
        found = judge_policies(log, bandit.served, bandit.best if new is None else new)
        assert found.decision == "cannot tell"
        assert not found.lets_in
        return found.reason

    bandit = Bandit(0)
    assert "was explored" in told(bandit, propensities=np.ones(6_000))
    assert "are to 20 people" in told(Bandit(0, people=20))
    assert "there are 60 recommendations" in told(Bandit(0, decisions=60, people=50))
    assert "all 6,000 rewards are 0" in told(bandit, rewards=np.zeros(6_000))
    assert "was shown in an effective" in told(Bandit(0, epsilon=0.02))
    # propensities that are half of what they were, and twice as much
    assert "the propensities are too small" in told(bandit, propensities=bandit.propensity / 2)
    assert "could not always be shown" in told(bandit, propensities=np.minimum(bandit.propensity * 1.5, 0.99))


def test_policies_that_choose_the_same_everywhere_cannot_be_told_apart_without_a_margin():
    bandit = Bandit(0)
    found = judge_policies(bandit.log, bandit.served, bandit.served.copy())
    assert found.decision == "cannot tell"
    assert "both put the same item first in all 6,000" in found.reason
    assert found.differing == found.difference == 0
    # rewards are 0 or 1, and the bound counts people
    assert (found.low, found.high) == (pytest.approx(-np.log(20) / 400), pytest.approx(np.log(20) / 400))


@pytest.mark.parametrize(("margin", "scale", "decision"), [(0.007, 1, "cannot tell"), (0.008, 1, "not worse"), (0.008, 2, "cannot tell")])
def test_policies_that_choose_the_same_everywhere_pass_where_what_was_not_seen_costs_less_than_the_margin(margin, scale, decision):
    bandit = Bandit(0)
    log = LoggedDecisions(**{**vars(bandit.log), "rewards": scale * bandit.reward})
    assert judge_policies(log, bandit.served, bandit.served.copy(), GateSettings(margin)).decision == decision


def test_a_policy_that_is_worse_for_a_few_people_is_not_let_in_where_none_of_them_was_seen():
    unseen = 0
    for seed in range(40):
        bandit, draw = Bandit(seed, decisions=100, people=30), np.random.default_rng(seed)
        # another item than the best one in 1 % of the situations
        new = np.where(draw.random(100) < 0.01, 9, bandit.served)
        unseen += int((new == bandit.served).all())
        assert not judge_policies(bandit.log, bandit.served, new).lets_in
        assert not judge_policies(bandit.log, bandit.served, new, GateSettings(margin=0.01)).lets_in
    assert unseen >= 8


def test_agreement_is_none_if_the_policies_differ_where_nothing_was_explored():
    bandit = Bandit(0)
    explored = np.arange(6_000) % 2 == 0
    log = LoggedDecisions(**{**vars(bandit.log), "propensities": np.where(explored, bandit.propensity, 1.0)})
    found = judge_policies(log, bandit.served, np.where(explored, bandit.served, bandit.best), GateSettings(margin=0.5))
    assert found.decision == "cannot tell"
    assert "only in recommendations that were not explored" in found.reason


def test_decisions_that_were_not_drawn_are_left_out():
    bandit = Bandit(2)
    greedy = np.arange(6_000) % 2 == 0
    log = bandit.log
    mixed = LoggedDecisions(log.actions, log.rewards, np.where(greedy, 1.0, log.propensities), log.people, ITEMS, contexts=log.contexts)
    found, half = (judge_policies(one, *(choice[rows] for choice in (bandit.served, bandit.best))) for one, rows in
                   ((mixed, np.arange(6_000)), (log.rows(np.flatnonzero(~greedy)), np.flatnonzero(~greedy))))  # fmt: skip
    assert found == half
    assert found.decisions == 3_000
