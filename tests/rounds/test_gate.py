"""The gate on synthetic bandits: worse policies are kept out, better ones let in, and where the log says nothing it says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recframe.rounds.gate import GateSettings, judge_policies
from recframe.rounds.slates import NOTHING, LoggedSlates, SlateRewards, agreeing, earned

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
        columns = (one[:, None] for one in (self.shown, self.reward, self.propensity))
        return LoggedSlates(*columns, self.people, ITEMS, contexts=np.eye(KINDS)[self.kind])

    @property
    def worse(self):
        return np.where(self.people % 3 == 0, self.served, 8 + self.people % 2)


def judged(log, old, new, *more, **settings):
    """The verdict on policies that show one item each."""
    return judge_policies(log, old[:, None], new[:, None], *more, **settings)


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 23), marks=pytest.mark.evidence)])
def test_a_worse_policy_is_refused_and_a_better_one_let_in(seeds):
    for seed in seeds:
        bandit = Bandit(seed)
        worse = judged(bandit.log, bandit.served, bandit.worse)
        better = judged(bandit.log, bandit.served, bandit.best)
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
            verdict = judged(bandit.log, bandit.served, new)
            if np.isfinite(verdict.low):
                found += 1
                covered += verdict.low <= bandit.value(new) - bandit.value(bandit.served) <= verdict.high
        # equally good: right for the people for whom the other is not
        other = np.where(bandit.people % 8 < 4, bandit.middling, bandit.best)
        gain = bandit.value(other) - bandit.value(bandit.served)
        let_in += judged(bandit.log, bandit.served, other, GateSettings(margin=-gain)).lets_in
    print(f"{covered} of {found} intervals cover the difference; of 200 policies that are equally good, {let_in} are let in")
    assert found >= 300
    assert covered >= 0.93 * found
    assert let_in <= 0.05 * 200


def test_the_estimate_is_the_doubly_robust_one_of_the_paper():
    from recframe.evaluation.off_policy.reward_models import fit_reward_model, folds_of

    bandit = Bandit(0)
    log, new = bandit.log, bandit.best
    model = fit_reward_model(bandit.reward, bandit.shown, log.contexts, np.eye(ITEMS), folds_of(log.people))
    predicted = model.predict(np.arange(len(log)))
    rows = np.arange(len(log))

    def value(choice):
        right = (bandit.shown == choice) / bandit.propensity
        return (predicted[rows, choice] + right * (bandit.reward - predicted[rows, bandit.shown])).mean()

    found = judged(log, bandit.served, new)
    assert found.difference == pytest.approx(value(new) - value(bandit.served))
    assert (found.old, found.new) == (pytest.approx(value(bandit.served)), pytest.approx(value(new)))
    assert found.slates == len(log)


def test_a_margin_lets_in_what_is_a_little_worse_at_most():
    bandit = Bandit(1, epsilon=0.8)
    slightly = np.where(bandit.people % 8 < 2, bandit.middling, bandit.served)
    found = judged(bandit.log, bandit.served, slightly)
    assert not found.lets_in
    assert judged(bandit.log, bandit.served, slightly, GateSettings(margin=0.15)).lets_in
    assert found.low == pytest.approx(judged(bandit.log, bandit.served, slightly, GateSettings(margin=0.15)).low)


def test_where_the_log_says_nothing_the_gate_cannot_tell():
    def told(bandit, new=None, **changes):
        log = replace(bandit.log, **{name: values[:, None] for name, values in changes.items()})
        found = judged(log, bandit.served, bandit.best if new is None else new)
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
    found = judged(bandit.log, bandit.served, bandit.served.copy())
    assert found.decision == "cannot tell"
    assert "both show the same in all 6,000" in found.reason
    assert found.differing == found.difference == 0
    # rewards are 0 or 1, and the bound counts people
    assert (found.low, found.high) == (pytest.approx(-np.log(20) / 400), pytest.approx(np.log(20) / 400))


@pytest.mark.parametrize(("margin", "scale", "decision"), [(0.007, 1, "cannot tell"), (0.008, 1, "not worse"), (0.008, 2, "cannot tell")])
def test_policies_that_choose_the_same_everywhere_pass_where_what_was_not_seen_costs_less_than_the_margin(margin, scale, decision):
    bandit = Bandit(0)
    log = replace(bandit.log, rewards=scale * bandit.log.rewards)
    assert judged(log, bandit.served, bandit.served.copy(), GateSettings(margin)).decision == decision


def test_a_policy_that_is_worse_for_a_few_people_is_not_let_in_where_none_of_them_was_seen():
    unseen = 0
    for seed in range(40):
        bandit, draw = Bandit(seed, decisions=100, people=30), np.random.default_rng(seed)
        # another item than the best one in 1 % of the situations
        new = np.where(draw.random(100) < 0.01, 9, bandit.served)
        unseen += int((new == bandit.served).all())
        assert not judged(bandit.log, bandit.served, new).lets_in
        assert not judged(bandit.log, bandit.served, new, GateSettings(margin=0.01)).lets_in
    assert unseen >= 8


def test_agreement_is_none_if_the_policies_differ_where_nothing_was_explored():
    bandit = Bandit(0)
    explored = np.arange(6_000) % 2 == 0
    log = replace(bandit.log, propensities=np.where(explored, bandit.propensity, 1.0)[:, None])
    found = judged(log, bandit.served, np.where(explored, bandit.served, bandit.best), GateSettings(margin=0.5))
    assert found.decision == "cannot tell"
    assert "only in recommendations that were not explored" in found.reason


def test_slates_that_were_not_drawn_are_left_out():
    bandit = Bandit(2)
    greedy = np.arange(6_000) % 2 == 0
    mixed = replace(bandit.log, propensities=np.where(greedy, 1.0, bandit.propensity)[:, None])
    drawn = np.flatnonzero(~greedy)
    found = judged(mixed, bandit.served, bandit.best)
    assert found == judged(bandit.log.rows(drawn), bandit.served[drawn], bandit.best[drawn])
    assert found.slates == 3_000
    # one that was drawn, and whose probability was 1 all the same, is not
    told = replace(mixed, drawn=np.ones(6_000, dtype=bool))
    assert judged(told, bandit.served, bandit.best).slates == 6_000


PLACES = 3


class Slates:
    """Slates of three of six items: of each kind of people, three are good (0.5), and clicked less often further down."""

    def __init__(self, seed, slates=6_000, people=400, epsilon=0.6):
        draw = np.random.default_rng(seed)
        self.people = draw.integers(people, size=slates)
        self.kind = self.people % 2
        # the first three of these are good, and not in this order
        self.order = (np.arange(6) + 3 * self.kind[:, None]) % 6
        self.served = self.order[:, [0, 1, 3]]
        self.shown, self.propensity = drawn_slates(draw, self.served, epsilon)
        self.reward = (draw.random(self.shown.shape) < self.chance(self.shown)).astype(float)

    def chance(self, slates):
        good = (slates[:, :, None] == self.order[:, None, :3]).any(axis=2)
        return (0.1 + 0.4 * good) / np.array([1.0, 1.2, 1.4])

    def value(self, slates):
        return self.chance(slates).sum(axis=1).mean()

    @property
    def log(self):
        return LoggedSlates(self.shown, self.reward, self.propensity, self.people, 6, contexts=np.eye(2)[self.kind])

    @property
    def better(self):
        return self.order[:, [0, 1, 2]]

    @property
    def spoilt(self):
        """The same first place as what is served, and poor ones below."""
        return self.order[:, [0, 4, 5]]


def drawn_slates(draw, best, epsilon):
    """Place by place the best item that is left, or with probability epsilon any that is left."""
    n, places = best.shape
    shown, propensities, open_items = np.zeros_like(best), np.zeros(best.shape), np.ones((n, 6), dtype=bool)
    rows = np.arange(n)
    preferred = np.concatenate([best, np.tile(np.arange(6), (n, 1))], axis=1)
    for place in range(places):
        first = preferred[rows, np.take_along_axis(open_items, preferred, axis=1).argmax(axis=1)]
        any_item = (draw.random((n, 6)) * open_items).argmax(axis=1)
        shown[:, place] = np.where(draw.random(n) < epsilon, any_item, first)
        propensities[:, place] = epsilon / (6 - place) + (1 - epsilon) * (shown[:, place] == first)
        open_items[rows, shown[:, place]] = False
    return shown, propensities


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 22), marks=pytest.mark.evidence)])
def test_whole_slates_are_judged(seeds):
    for seed in seeds:
        slates = Slates(seed)
        better = judge_policies(slates.log, slates.served, slates.better)
        assert better.decision == "not worse", (seed, better.reason)
        assert better.places == PLACES
        spoilt = judge_policies(slates.log, slates.served, slates.spoilt, GateSettings(effective=30))
        assert spoilt.decision == "worse", (seed, spoilt.reason)
        # who looks at first places alone sees no difference
        first = judge_policies(slates.log, slates.served, slates.spoilt, GateSettings(places=1, margin=0.05))
        assert "both show the same" in first.reason
        assert (first.lets_in, first.places) == (True, 1)


def test_the_estimate_of_a_slate_is_unbiased_whatever_the_model_says():
    differences = {"better": [], "spoilt": []}
    for seed in range(60):
        slates = Slates(seed, slates=600, people=100)
        rewards = SlateRewards(slates.log, None, 0)
        # a model that is wrong
        rewards._model = replace(rewards._model, coefficients=0.3 * rewards._model.coefficients + 0.1)
        for name, found in differences.items():
            new = getattr(slates, name)
            found.append(earned(rewards.judged(new)).mean() - slates.value(new))
    for name, found in differences.items():
        assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(60), name


def test_the_estimate_is_the_sum_over_places_with_the_weights_of_all_above():
    slates = Slates(3, slates=500)
    log, new = slates.log, slates.better
    rewards = SlateRewards(log, None, 0)
    total = np.zeros(len(log))
    weight = np.ones(len(log))
    for place in range(PLACES):
        weight = weight * (log.shown[:, place] == new[:, place]) / log.propensities[:, place]
        predicted = rewards._predicted(place, new[:, place])
        total += predicted + weight * (log.rewards[:, place] - predicted)
    assert earned(rewards.judged(new)) == pytest.approx(total)
    assert weight.mean() == pytest.approx(1, abs=0.5)


def test_slates_of_unlike_lengths_are_judged_down_to_their_ends():
    slates = Slates(4)
    short = np.arange(len(slates.shown)) % 2 == 0
    cut = {
        name: values.copy() for name, values in (("shown", slates.shown), ("rewards", slates.reward), ("propensities", slates.propensity))
    }
    for name, nothing in (("shown", NOTHING), ("rewards", 0.0), ("propensities", 1.0)):
        cut[name][short, 2] = nothing
    served, better = slates.served.copy(), slates.better.copy()
    served[short, 2] = better[short, 2] = NOTHING
    log = replace(slates.log, **cut)
    found = judge_policies(log, served, better)
    assert found.decision == "not worse", found.reason
    assert found.differing == pytest.approx(0.5, abs=0.05)
    true = (slates.chance(slates.better) - slates.chance(slates.served))[:, 2] * ~short
    assert found.low <= true.mean() <= found.high


def test_what_was_shown_too_seldom_further_down_is_told_with_the_remedy():
    slates = Slates(5, slates=1_500, epsilon=0.2)
    found = judge_policies(slates.log, slates.served, slates.spoilt)
    assert found.decision == "cannot tell"
    assert "what the new one shows, down to place" in found.reason
    assert "--places" in found.reason
    assert agreeing(slates.served, slates.spoilt).all(axis=0).tolist() == [True, False, False]
