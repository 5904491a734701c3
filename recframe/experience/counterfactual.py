"""The run's reward of items in the place of logged ones: what would be known of it if they had been shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.experience.rewards import RewardSum
from recframe.interfaces import PAD, Observation, Response, Transition

MAX_PLACES = 1 << 17
"""Places of histories in a chunk: with vectors of 384 numbers, those of all items of its histories take 200 MB."""


@dataclass(frozen=True)
class CounterfactualRewards:
    """Rewards of items `[B, G]`, each as a slate of its own after the history of one of B logged transitions, `[B, G]` float32.

    Terms that do not read what people did rate all items. The others rate the logged item, by what was done with it; for other items
    nothing is known, and they are 0.

    The contexts are rated in chunks of bounded size, in order, the items of one together. A term that compares the users of a batch, such
    as `fairness`, compares those of a chunk: G people with each history, who are shown one item each.

    Parameters
    ----------
    of_slates: the terms that do not read what people did.   of_responses: those that do, or None: there are none.

    Raises
    ------
    ComponentFailure: a term is not float32 `[N, 1]` on the transition's device.
    """

    of_slates: RewardSum
    of_responses: RewardSum | None

    @classmethod
    def of(cls, rewards: RewardSum) -> CounterfactualRewards | None:
        """Those of a run's reward; None if all of its terms read what people did."""
        of_slates = rewards.reading_response(False)
        return None if of_slates is None else cls(of_slates, rewards.reading_response(True))

    @torch.no_grad()
    def __call__(self, transition: Transition, items: Tensor) -> Tensor:
        """The rewards; 0 at `PAD`."""
        size = max(1, MAX_PLACES // (transition.observation.history_items.shape[1] * items.shape[1]))
        rows = torch.arange(len(items), device=items.device)
        total = torch.cat([self._rated(transition, part, items[part]) for part in rows.split(size)])
        if self.of_responses is not None:
            done = self.of_responses(transition).item_reward
            total = total + torch.where(items == transition.slate, done, 0.0)
        return total

    def _rated(self, transition: Transition, rows: Tensor, items: Tensor) -> Tensor:
        """What the terms `of_slates` say of items `[b, G]` after the histories of b rows."""
        observation = transition.observation.clone(recurse=False)
        # long lists, which no term needs
        observation.candidates = observation.excluded = observation.prior = None
        signals = list(map(str, transition.response.signals.keys()))
        shown = _shown(observation[rows.repeat_interleave(items.shape[1])], items.flatten(), signals)
        rated = self.of_slates(shown).item_reward
        return rated.view_as(items).masked_fill(items == PAD, 0.0)


def _shown(observation: Observation, items: Tensor, signals: Sequence[str]) -> Transition:
    """The transitions in which `items` `[N]` are shown, and nothing happens: all signals are 0, and nobody leaves."""
    slate, feedback = items.unsqueeze(1), observation.history_feedback
    nothing, never = torch.zeros_like(items, dtype=torch.float32), torch.zeros_like(items, dtype=torch.bool)
    shape: dict[str, Any] = {"batch_size": [len(items)]}
    return Transition(
        observation=observation,
        slate=slate,
        log_prob=nothing,
        response=Response(signals=TensorDict(dict.fromkeys(signals, nothing.unsqueeze(1)), **shape), leave=never, **shape),
        reward=nothing,
        item_reward=nothing.unsqueeze(1),
        next_observation=Observation(
            user=observation.user,
            history_items=torch.cat([observation.history_items, slate], dim=1)[:, 1:],
            history_feedback=torch.cat([feedback, torch.zeros_like(feedback[:, -1:])], dim=1)[:, 1:],
            **shape,
        ),
        terminated=never,
        truncated=never,
        **shape,
    )
