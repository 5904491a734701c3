"""The gate of a round: whether a new policy may take the place of the one that is served, by slates that it has not learned from.

Both policies' whole slates are judged (see `recframe.rounds.slates`). The difference of their values is the mean of the differences of
what each logged slate says of them, which are 0 where both show the same. Its interval is a bootstrap-t interval over people.

Where both show the same slate each time, the difference is at most the share of situations in which they may differ all the same, times
the range of a slate's reward. If that share is p, n people meet none of them with a probability of (1 - p)^n at most, so that its upper
bound is -log(1 - level) / n: 3 / n at 95 % (the rule of three; Hanley & Lippman-Hand, 1983). It counts people and not slates, since those
of one person are alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recframe.evaluation.off_policy.contributions import intervals, mean_of
from recframe.evaluation.off_policy.diagnostics import FEW_PEOPLE, Diagnostics, diagnose, effective_sample_size
from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.rounds.slates import NOTHING, LoggedSlates, SlateRewards, agreeing, earned

ODD = 4.0
"""Standard errors from 1 at which a mean weight is odd. Large weights are rare, so that 3 are exceeded too often where nothing is wrong."""

GateAnswer = Literal["not worse", "worse", "cannot tell"]


@dataclass(frozen=True)
class GateSettings:
    """What the gate asks for.

    margin: how much less reward a slate of the new policy may earn; 0: none.   level: of the interval.
    effective: the least effective number of slates in which the policies differ and what the one (and the other) shows was shown.
    places: the first places of slates, which are judged; None: all.
    """

    margin: float = 0.0
    level: float = 0.95
    effective: float = 100.0
    places: int | None = None


@dataclass(frozen=True)
class GateVerdict:
    """What the gate says, and why.

    difference, low, high: the value of the new policy less that of the old one, in reward a slate, and its interval.
    old, new: both values.   slates, people: what they are estimated from.   places: of the longest slate.
    differing: the share in which the policies differ.
    effective_old, effective_new: the effective number of those in which what the policy shows was shown, down to the place where it is
        least.
    """

    decision: GateAnswer
    reason: str
    slates: int = 0
    people: int = 0
    places: int = 0
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
    log: LoggedSlates,
    old: np.ndarray,
    new: np.ndarray,
    settings: GateSettings = GateSettings(),  # frozen
    items: np.ndarray | None = None,
    seed: int = 0,
) -> GateVerdict:
    """Whether the new policy's slates earn no less than the old one's, by slates logged after all that it has learned from.

    "Not worse" means that the whole interval of the difference is at `-margin` or above: with a margin of 0 the new policy is shown to
    earn at least as much. "Worse" means that the whole interval is below. All else is "cannot tell", also where the log says nothing:
    both show the same everywhere (unless what was not seen can cost no more than the margin), none was explored, too few people, too
    few slates with what a policy shows, rewards that are all the same, or weights whose mean is not 1, as of wrong propensities or
    of slates that could not be shown.

    Parameters
    ----------
    old, new: `[n, K]` int64, what each policy shows in each situation; `NOTHING` after the end.
    items: `[M, Z]`, item features of the reward model, or None: `item_features`.
    """
    places = log.places if settings.places is None else min(settings.places, log.places)
    log, old, new = log.first(places), old[:, :places], new[:, :places]
    # whether a slate was drawn at all does not depend on what was drawn
    rows = np.flatnonzero((log.propensities < 1.0).any(axis=1) if log.drawn is None else log.drawn)
    if not len(rows):
        why = (
            f"none of the {len(log):,} recommendations was explored (each had a propensity of 1), so that other choices are unknown; "
            "serve with exploration.kind=epsilon or boltzmann"
        )
        return GateVerdict("cannot tell", why, len(log), len(np.unique(log.people)), places)
    differing_anywhere = bool((old != new).any())
    log, old, new = log.rows(rows), old[rows], new[rows]
    same = agreeing(old, new)
    differing = int((~same[:, -1]).sum())
    known: dict[str, Any] = {"slates": len(log), "people": len(np.unique(log.people)), "places": places, "differing": differing / len(log)}
    if why := _too_little(log, settings):
        return GateVerdict("cannot tell", why, **known)
    if not differing:
        if differing_anywhere:
            return GateVerdict("cannot tell", "the two differ only in recommendations that were not explored", **known)
        return _by_agreement(log, settings, known)
    rewards = SlateRewards(log, items, seed)
    judged = {"old": rewards.judged(old), "new": rewards.judged(new)}
    sizes = {name: _effective_sizes(one, same) for name, one in judged.items()}
    known |= {f"effective_{name}": min(found.values()) for name, found in sizes.items()}
    if why := _unsupported(log, judged, sizes, differing, settings):
        return GateVerdict("cannot tell", why, **known)
    return _by_interval(log, judged, settings, known, seed)


def _too_little(log: LoggedSlates, settings: GateSettings) -> str:
    if (people := len(np.unique(log.people))) < FEW_PEOPLE:
        return f"the recommendations are to {people} people; at least {FEW_PEOPLE} are needed"
    if len(log) < settings.effective:
        return f"there are {len(log):,} recommendations; at least {settings.effective:g} are needed"
    rewards = log.rewards[log.shown != NOTHING]
    if rewards.min() == rewards.max():
        return f"all {len(rewards):,} rewards are {rewards[0]:g}"
    return ""


def _effective_sizes(judged: Sequence[SingleItemLog], same: np.ndarray) -> dict[int, float]:
    """By place, from the first at which the policies differ: the effective number of the slates in which they differ down to there."""
    differing = {place: ~same[:, place] for place in range(same.shape[1])}
    return {place: float(effective_sample_size(judged[place].weights[rows])) for place, rows in differing.items() if rows.any()}


def _unsupported(
    log: LoggedSlates,
    judged: Mapping[str, Sequence[SingleItemLog]],
    sizes: Mapping[str, Mapping[int, float]],
    differing: int,
    settings: GateSettings,
) -> str:
    for name, found in sizes.items():
        for place, size in found.items():
            if size < settings.effective:
                where = "" if log.places == 1 else f", down to place {place + 1},"
                remedy = "" if not place else f"; --places {place} judges the places above alone"
                return (
                    f"the two differ in {differing:,} of {len(log):,} recommendations, of which what the {name} one shows{where} was shown "
                    f"in an effective {size:.0f}; at least {settings.effective:g} are needed{remedy}"
                )
    for name, places in judged.items():
        for one in places:
            if odd := _odd_weights(name, diagnose(one.weights, log.people)):
                return odd
    return ""


def _odd_weights(name: str, found: Diagnostics) -> str:
    """What the mean of the weights says against the propensities; it is 1 on average if they are right."""
    if abs(found.mean_weight - 1) <= max(ODD * found.mean_weight_error, 0.01):
        return ""
    cause = "what it shows could not always be shown" if found.mean_weight < 1 else "the propensities are too small"
    return f"the mean weight of the {name} one is {found.mean_weight:.3f} (standard error {found.mean_weight_error:.3f}), not 1: {cause}"


def _by_agreement(log: LoggedSlates, settings: GateSettings, known: dict[str, Any]) -> GateVerdict:
    """What can be said of two policies that show the same each time."""
    unseen = min(-math.log(1 - settings.level) / known["people"], 1.0)
    bound = unseen * float((log.rewards.max(axis=0) - log.rewards.min(axis=0)).sum())
    known |= {"difference": 0.0, "low": -bound, "high": bound}
    said = (
        f"both show the same in all {len(log):,} recommendations to {known['people']:,} people; they may still differ in up to "
        f"{unseen:.2%} of all situations ({settings.level:.0%} bound), which costs at most {bound:.4f} a recommendation"
    )
    if bound <= settings.margin:
        return GateVerdict("not worse", f"{said}: no more than {settings.margin:g}", **known)
    return GateVerdict("cannot tell", f"{said}: more than {settings.margin:g}", **known)


def _by_interval(
    log: LoggedSlates, judged: Mapping[str, list[SingleItemLog]], settings: GateSettings, known: dict[str, Any], seed: int
) -> GateVerdict:
    old, new = earned(judged["old"]), earned(judged["new"])
    difference = intervals(mean_of(new - old), log.people, seed, level=settings.level)[0]
    known |= {"difference": difference.mean, "low": difference.low, "high": difference.high, "old": old.mean(), "new": new.mean()}
    known = {name: float(value) if isinstance(value, np.floating) else value for name, value in known.items()}
    of = "" if log.places == 1 else f" of {log.places} places"
    said = (
        f"new - old is {difference.mean:+.4f} a recommendation{of}, {settings.level:.0%} interval {difference.low:+.4f} to "
        f"{difference.high:+.4f}, from {known['slates']:,} recommendations to {known['people']:,} people, of which the two differ in "
        f"{known['differing']:.0%}"
    )
    if difference.low >= -settings.margin:
        return GateVerdict("not worse", f"{said}: all of it is at least {-settings.margin:g}", **known)
    if difference.high < -settings.margin:
        return GateVerdict("worse", f"{said}: all of it is below {-settings.margin:g}", **known)
    return GateVerdict("cannot tell", f"{said}: {-settings.margin:g} is within it", **known)
