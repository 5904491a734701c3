"""The run's reward: the weighted sum of its terms."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.attribution import require_reward
from recframe.interfaces import PAD, Catalog, Observation, Response, Reward, Transition, items_alone


class RewardOutcome(NamedTuple):
    """item_reward: `[N, K]`, the weighted sum for each item.   terms: `{name: [N]}`, each weighted term summed over the slate."""

    item_reward: Tensor
    terms: dict[str, Tensor]


class RewardSum:
    """r(s, a)_k = sum over terms j of w_j r_j(s, a)_k, the reward of the k-th item of a slate.

    Where the catalogue has questions, terms see items alone, and are 0 where none is shown, unless they rate questions (`Reward`).

    Parameters
    ----------
    terms: reward and weight by name.
    itemwise: the names of the terms whose value for an item depends only on the item and its own signals.
    """

    def __init__(self, terms: Mapping[str, tuple[Reward, float]], catalog: Catalog, itemwise: frozenset[str]) -> None:
        self.terms = dict(terms)
        self.catalog = catalog
        self.itemwise_terms = itemwise
        # one object: rewards keep what they compute of a catalogue
        self._items = catalog.without_questions()
        # the last items of a history that the terms read; None: all
        self._history_length: int | None = None

    def looking_back(self, history_length: int) -> RewardSum:
        """The same sum, whose terms read the last `history_length` items of histories that are longer."""
        other = copy.copy(self)
        other._history_length = history_length
        return other

    def __call__(self, transition: Transition) -> RewardOutcome:
        """The reward of one step of N users.

        Raises
        ------
        ComponentFailure: a term is not float32 `[N, K]` on the transition's device.
        """
        if self._history_length is not None:
            transition = _with_last(transition, self._history_length)
        alone = self._alone(transition)
        weighted = {name: weight * self._rated(reward, transition, alone) for name, (reward, weight) in self.terms.items()}
        return RewardOutcome(torch.stack(list(weighted.values())).sum(dim=0), {name: value.sum(dim=1) for name, value in weighted.items()})

    def itemwise(self, signals: Mapping[str, Tensor]) -> Tensor:
        """The reward of showing each item alone, `[N, M]`, given its signals `[N, M]`; only itemwise terms count.

        For expected signals this is the expected reward of terms that are linear in their signals, such as `click` and `rating`.
        """
        any_signal = next(iter(signals.values()))
        users, items = any_signal.shape
        device = any_signal.device
        numbers = torch.zeros(users, dtype=torch.int64, device=device)
        nothing = torch.zeros(users, device=device)
        ended = torch.zeros(users, dtype=torch.bool, device=device)
        empty = Observation(
            user=numbers,
            history_items=numbers[:, None],
            history_feedback=torch.zeros(users, 1, len(signals), device=device),
            batch_size=[users],
        )
        transition = Transition(
            observation=empty,
            slate=torch.arange(items, device=device).expand(users, -1),
            log_prob=nothing,
            response=Response(signals=TensorDict(dict(signals), batch_size=[users]), leave=ended, batch_size=[users]),
            reward=nothing,
            item_reward=torch.zeros(users, 1, device=device).expand(-1, items),
            next_observation=empty,
            terminated=ended,
            truncated=ended,
            batch_size=[users],
        )
        total = torch.zeros(users, items, device=device)
        alone = self._alone(transition)
        for name in sorted(self.itemwise_terms):
            reward, weight = self.terms[name]
            total = total + weight * self._rated(reward, transition, alone)
        return total

    def reading_response(self, reads: bool) -> RewardSum | None:
        """The sum of the terms that read what people did (`Reward.reads_response`), or else of the others; None: there are none.

        Terms that are the same for all items, since they weigh nothing or are about questions, are in neither.
        """
        tell = {name: (reward, weight) for name, (reward, weight) in self.terms.items() if weight and not reward.rates_questions}
        terms = {name: term for name, term in tell.items() if term[0].reads_response == reads}
        if not terms:
            return None
        part = RewardSum(terms, self.catalog, self.itemwise_terms & terms.keys())
        part._history_length = self._history_length
        return part

    def report(self) -> dict[str, float]:
        """The measures of all terms themselves (`Reward.report`)."""
        return {name: value for reward, _ in self.terms.values() for name, value in reward.report().items()}

    def caveats(self) -> tuple[str, ...]:
        """What limits the results of all terms (`Reward.caveats`)."""
        return tuple(line for reward, _ in self.terms.values() for line in reward.caveats())

    def _alone(self, transition: Transition) -> Transition:
        """The transition with items alone, which is another one only where there are questions."""
        return items_alone(transition, self.catalog.first_question) if self.catalog.num_questions else transition

    def _rated(self, reward: Reward, transition: Transition, alone: Transition) -> Tensor:
        """A term's value `[N, K]`; `alone` is the transition without questions."""
        about_items = alone is not transition and not reward.rates_questions
        value = reward(alone, self._items) if about_items else reward(transition, self.catalog)
        require_reward(reward, value, transition.item_reward)
        return value.masked_fill(alone.slate == PAD, 0.0) if about_items else value


def _with_last(transition: Transition, history_length: int) -> Transition:
    """The transition with the last `history_length` items of its histories."""
    recent: Transition = transition.clone(recurse=False)
    for name in ("observation", "next_observation"):
        observation: Observation = getattr(transition, name).clone(recurse=False)
        observation.history_items = observation.history_items[:, -history_length:]
        observation.history_feedback = observation.history_feedback[:, -history_length:]
        setattr(recent, name, observation)
    return recent
