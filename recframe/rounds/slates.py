"""Logged slates, and what a policy's own slates would have earned in their place.

For a slate a_1 ... a_K of recommendation x, each place's propensity mu(a_j | x, a_1 ... a_{j-1}), a reward r_j at each place, a policy that
shows pi_1(x) ... pi_K(x), and a reward model q that never saw the person, the cascade doubly robust estimate of the policy's reward is
(Kiyohara et al., 2022)

    sum over j of  q_j(x, pi_j) + w_j (r_j - q_j(x, pi_j)),   w_j = 1[a_1 = pi_1, ..., a_j = pi_j] / product over l <= j of mu(a_l | ...).

It is unbiased if a place's reward depends on what is shown there and above, not below, the propensities are right, and whatever the policy
shows could have been shown; whatever the model. For one place it is the doubly robust estimate of Dudik, Langford & Li (2011). It is
written for a policy without randomness and a model of each place's own reward: what the model says of the places below then cancels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recframe.evaluation.off_policy.logs import SingleItemLog
from recframe.evaluation.off_policy.reward_models import DecisionRewardModel, fit_reward_model, folds_of, item_features, with_constant
from recframe.evaluation.off_policy.single_items import doubly_robust

NOTHING = -1
"""In place of an item's number, where a slate has ended."""

FITTED = 20_000
"""Shown items that the reward model is fitted to; more are sampled, since its products of features must fit in memory."""

SMALLEST = 1e-150
"""The smallest probability of a slate that is told apart from others: weights and their squares stay finite."""


@dataclass(frozen=True)
class LoggedSlates:
    """n slates of up to K of M items, with all that is judged by them.

    shown: `[n, K]` int64, the items; `NOTHING` after a slate's end.   rewards, propensities: `[n, K]`; 0 and 1 after the end.
    people: `[n]`, integers that tell people apart.   num_items: M.   contexts: `[n, X]`, what was known, or None.
    drawn: `[n]` bool, whether the slate was drawn at random at all; None: where a propensity is below 1.
    """

    shown: np.ndarray
    rewards: np.ndarray
    propensities: np.ndarray
    people: np.ndarray
    num_items: int
    contexts: np.ndarray | None = None
    drawn: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def places(self) -> int:
        """K."""
        return int(self.shown.shape[1])

    def rows(self, rows: np.ndarray) -> LoggedSlates:
        """These slates, in this order."""
        columns = ("shown", "rewards", "propensities", "people", "contexts", "drawn")
        return replace(self, **{name: value[rows] for name in columns if (value := getattr(self, name)) is not None})

    def first(self, places: int) -> LoggedSlates:
        """The first places of each slate alone."""
        return replace(self, **{name: getattr(self, name)[:, :places] for name in ("shown", "rewards", "propensities")})


def agreeing(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Down to which place two slates are the same: `[n, K]` bool, whether they are at this place and above."""
    found: np.ndarray = np.logical_and.accumulate(one == other, axis=1)
    return found


class SlateRewards:
    """A model of the rewards of logged slates, by which policies are judged.

    items: `[M, Z]`, item features of the model, or None: `item_features`.
    """

    def __init__(self, log: LoggedSlates, items: np.ndarray | None, seed: int) -> None:
        self.log = log
        self._probabilities = np.maximum(np.cumprod(log.propensities, axis=1), SMALLEST)
        self._folds = folds_of(log.people, seed=seed)
        self._model = self._fitted(item_features(log.num_items) if items is None else items, seed)

    def judged(self, slates: np.ndarray) -> list[SingleItemLog]:
        """For each place, the log as it judges a policy that shows `slates` `[n, K]`."""
        matching = agreeing(self.log.shown, slates).astype(np.float64)
        return [
            SingleItemLog(
                self.log.rewards[:, place],
                self._probabilities[:, place],
                matching[:, place],
                predicted=self._predicted(place, self.log.shown[:, place]),
                expected=self._predicted(place, slates[:, place]),
            )
            for place in range(self.log.places)
        ]

    def _fitted(self, items: np.ndarray, seed: int) -> DecisionRewardModel:
        rows, places = np.nonzero(self.log.shown != NOTHING)
        if len(rows) > FITTED:
            kept = np.sort(np.random.default_rng(seed).choice(len(rows), FITTED, replace=False))
            rows, places = rows[kept], places[kept]
        rewards, actions = self.log.rewards[rows, places], self.log.shown[rows, places]
        return fit_reward_model(rewards, actions, self._contexts(rows, places), items, self._folds[rows])

    def _contexts(self, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """What the model knows of these places of these slates: the context, and of more places than one, how far down they are."""
        known = np.zeros((len(rows), 0)) if self.log.contexts is None else self.log.contexts[rows]
        if self.log.places == 1:
            return known
        return np.column_stack([known, 1 / np.log2(places + 2.0)])

    def _predicted(self, place: int, items: np.ndarray) -> np.ndarray:
        """The predicted reward `[n]` of each row's item at a place; 0 where there is none."""
        rows = np.arange(len(self.log))
        contexts = with_constant(self._contexts(rows, np.full(len(rows), place)))
        of_all = replace(self._model, contexts=contexts, folds=self._folds)
        predicted: np.ndarray = np.where(items == NOTHING, 0.0, of_all.predict_logged(np.maximum(items, 0)))
        return predicted


def earned(judged: list[SingleItemLog]) -> np.ndarray:
    """What each slate says of the policy's reward, `[n]`: its mean is the estimate."""
    total: np.ndarray = np.sum([doubly_robust(one).numerators for one in judged], axis=0)
    return total
