"""The gate of a round: whether a new policy may take the place of the one that is served, by decisions that it has not learned from.

For each decision x with a shown item a, its propensity mu(a|x) and its reward r, and a reward model q that never saw the person, the
doubly robust estimate of what a policy with the choice pi(x) earns is (Dudik, Langford & Li, 2011)

    q(x, pi(x)) + 1[a = pi(x)] / mu(a|x) (r - q(x, a)).

The difference of both policies' values is the mean of the differences of these numbers, which are 0 where both choose the same item. It is
unbiased if the propensities are right and everything that the policies choose could have been shown, whatever the model. Its interval is
a bootstrap-t interval over people.

Where both choose the same item in each decision, the difference is at most the share of situations in which they may differ all the same,
times the range of the rewards. If that share is p, n people meet none of them with a probability of (1 - p)^n at most, so that its upper
bound is -log(1 - level) / n: 3 / n at 95 % (the rule of three; Hanley & Lippman-Hand, 1983). It counts people and not decisions, since
those of one person are alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recframe.evaluation.off_policy.contributions import intervals, mean_of
from recframe.evaluation.off_policy.decisions import Judged, LoggedDecisions, judged_decisions
from recframe.evaluation.off_policy.diagnostics import FEW_PEOPLE, Diagnostics, diagnose, effective_sample_size
from recframe.evaluation.off_policy.policies import ActionProbabilities, ranking_policy
from recframe.evaluation.off_policy.reward_models import fit_reward_model, folds_of, item_features
from recframe.evaluation.off_policy.single_items import doubly_robust

ODD = 4.0
"""Standard errors from 1 at which a mean weight is odd. Large weights are rare, so that 3 are exceeded too often where nothing is wrong."""

GateAnswer = Literal["not worse", "worse", "cannot tell"]


@dataclass(frozen=True)
class GateSettings:
    """What the gate asks for.

    margin: how much less reward a decision the new policy may earn; 0: none.   level: of the interval.
    effective: the least effective number of decisions in which the policies differ and what the one (and the other) chooses was shown.
    """

    margin: float = 0.0
    level: float = 0.95
    effective: float = 100.0


@dataclass(frozen=True)
class GateVerdict:
    """What the gate says, and why.

    difference, low, high: the value of the new policy less that of the old one, in reward a decision, and its interval.
    old, new: both values.   decisions, people: what they are estimated from.   differing: the share in which the policies differ.
    effective_old, effective_new: the effective number of those in which what the policy chooses was shown.
    """

    decision: GateAnswer
    reason: str
    decisions: int = 0
    people: int = 0
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    old: float = float("nan")
    new: float = float("nan")
    differing: float = float("nan")
    effective_old: float = float("nan")
    effective_new: float = float("nan")

    @property
    def lets_in(self) -> bool:
        """Whether the new policy may be served."""
        return self.decision == "not worse"

    def as_record(self) -> Mapping[str, Any]:
        """The fields by name, with None for numbers that there are not."""
        return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(self).items()}


def judge_policies(
    log: LoggedDecisions,
    old: np.ndarray,
    new: np.ndarray,
    settings: GateSettings = GateSettings(),  # frozen
    items: np.ndarray | None = None,
    seed: int = 0,
) -> GateVerdict:
    """Whether the new policy earns no less than the old one in the first place, by decisions logged after all that it has learned from.

    "Not worse" means that the whole interval of the difference is at `-margin` or above: with a margin of 0 the new policy is shown to
    earn at least as much. "Worse" means that the whole interval is below. All else is "cannot tell", also where the log says nothing:
    both choose the same everywhere (unless what was not seen can cost no more than the margin), none was explored, too few people, too
    few decisions with what a policy chooses, rewards that are all the same, or weights whose mean is not 1, as of wrong propensities or
    of choices that could not be shown.

    Parameters
    ----------
    old, new: `[n]` int64, the item that each policy puts first in each situation.
    items: `[M, Z]`, item features of the reward model, or None: `item_features`.
    """
    # whether a decision was drawn at all does not depend on what was drawn
    rows = np.flatnonzero(log.propensities < 1.0)
    if not len(rows):
        why = (
            f"none of the {len(log):,} recommendations was explored (each had a propensity of 1), so that other choices are unknown; "
            "serve with exploration.kind=epsilon or boltzmann"
        )
        return GateVerdict("cannot tell", why, len(log), len(np.unique(log.people)))
    differing_anywhere = bool((old != new).any())
    log, old, new = log.rows(rows), old[rows], new[rows]
    differing = np.flatnonzero(old != new)
    known: dict[str, Any] = {"decisions": len(log), "people": len(np.unique(log.people)), "differing": len(differing) / len(log)}
    if why := _too_little(log, settings):
        return GateVerdict("cannot tell", why, **known)
    if not len(differing):
        if differing_anywhere:
            return GateVerdict("cannot tell", "the two differ only in recommendations that were not explored", **known)
        return _by_agreement(log, settings, known)
    judged = _judged(log, (old, new), items, seed)
    sizes = [float(effective_sample_size(one.log.weights[differing])) for one in judged]
    known |= {"effective_old": sizes[0], "effective_new": sizes[1]}
    if why := _unsupported(log, judged, sizes, len(differing), settings):
        return GateVerdict("cannot tell", why, **known)
    return _by_interval(log, judged, settings, known, seed)


def _too_little(log: LoggedDecisions, settings: GateSettings) -> str:
    if (people := len(np.unique(log.people))) < FEW_PEOPLE:
        return f"the recommendations are to {people} people; at least {FEW_PEOPLE} are needed"
    if len(log) < settings.effective:
        return f"there are {len(log):,} recommendations; at least {settings.effective:g} are needed"
    if log.rewards.min() == log.rewards.max():
        return f"all {len(log):,} rewards are {log.rewards[0]:g}"
    return ""


def _judged(log: LoggedDecisions, choices: Sequence[np.ndarray], items: np.ndarray | None, seed: int) -> list[Judged]:
    features = item_features(log.num_items) if items is None else items
    model = fit_reward_model(log.rewards, log.actions, log.contexts, features, folds_of(log.people, seed=seed))
    return [judged_decisions(log, _showing(chosen, log.num_items), model) for chosen in choices]


def _showing(chosen: np.ndarray, num_items: int) -> ActionProbabilities:
    return ranking_policy(lambda rows: chosen[rows, None], num_items)


def _unsupported(log: LoggedDecisions, judged: Sequence[Judged], sizes: Sequence[float], differing: int, settings: GateSettings) -> str:
    for name, one, size in zip(("old", "new"), judged, sizes, strict=True):
        if size < settings.effective:
            return (
                f"the two differ in {differing:,} of {len(log):,} recommendations, of which what the {name} one puts first was shown in "
                f"an effective {size:.0f}; at least {settings.effective:g} are needed"
            )
        if odd := _odd_weights(name, diagnose(one.log.weights, log.people)):
            return odd
    return ""


def _odd_weights(name: str, found: Diagnostics) -> str:
    """What the mean of the weights says against the propensities; it is 1 on average if they are right."""
    if abs(found.mean_weight - 1) <= max(ODD * found.mean_weight_error, 0.01):
        return ""
    cause = "what it chooses could not always be shown" if found.mean_weight < 1 else "the propensities are too small"
    return f"the mean weight of the {name} one is {found.mean_weight:.3f} (standard error {found.mean_weight_error:.3f}), not 1: {cause}"


def _by_agreement(log: LoggedDecisions, settings: GateSettings, known: dict[str, Any]) -> GateVerdict:
    """What can be said of two policies that choose the same item in all decisions."""
    unseen = min(-math.log(1 - settings.level) / known["people"], 1.0)
    bound = unseen * float(log.rewards.max() - log.rewards.min())
    known |= {"difference": 0.0, "low": -bound, "high": bound}
    said = (
        f"both put the same item first in all {len(log):,} recommendations to {known['people']:,} people; they may still differ in up to "
        f"{unseen:.2%} of all situations ({settings.level:.0%} bound), which costs at most {bound:.4f} a recommendation"
    )
    if bound <= settings.margin:
        return GateVerdict("not worse", f"{said}: no more than {settings.margin:g}", **known)
    return GateVerdict("cannot tell", f"{said}: more than {settings.margin:g}", **known)


def _by_interval(log: LoggedDecisions, judged: Sequence[Judged], settings: GateSettings, known: dict[str, Any], seed: int) -> GateVerdict:
    old, new = (doubly_robust(one.log).numerators for one in judged)
    difference = intervals(mean_of(new - old), log.people, seed, level=settings.level)[0]
    known |= {"difference": difference.mean, "low": difference.low, "high": difference.high, "old": old.mean(), "new": new.mean()}
    known = {name: float(value) if isinstance(value, np.floating) else value for name, value in known.items()}
    said = (
        f"new - old is {difference.mean:+.4f} a recommendation, {settings.level:.0%} interval {difference.low:+.4f} to "
        f"{difference.high:+.4f}, from {known['decisions']:,} recommendations to {known['people']:,} people, of which the two differ in "
        f"{known['differing']:.0%}"
    )
    if difference.low >= -settings.margin:
        return GateVerdict("not worse", f"{said}: all of it is at least {-settings.margin:g}", **known)
    if difference.high < -settings.margin:
        return GateVerdict("worse", f"{said}: all of it is below {-settings.margin:g}", **known)
    return GateVerdict("cannot tell", f"{said}: {-settings.margin:g} is within it", **known)
