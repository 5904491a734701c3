"""Transitions from logged interactions, made on the fly for the rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.interfaces import Log, Response, Transition
from recframe.logs.allowed import restrict
from recframe.logs.windows import observations


class LoggedTransitions:
    """The interactions of a log as transitions of sessions with one item a turn.

    The observation is the history before the interaction, the slate its item, the response its feedback, the reward the log's (zero until
    `Log.rewards` is set), and `log_prob` the logarithm of its propensity (zero if none is logged). A sequence's last interaction is
    terminated.

    Parameters
    ----------
    history_length: H.
    signals: the names in `Observation.history_feedback`, in order; None: the log's. A signal that the log lacks is 0.
    with_choices: whether observations say what could be recommended (`Replay.with_choices`); rows that are asked for together then have
        candidates, all of them, or none has. `exclude_seen`: whether that is nothing that was met before.
    """

    def __init__(
        self,
        log: Log,
        history_length: int,
        signals: Sequence[str] | None = None,
        *,
        with_choices: bool = False,
        exclude_seen: bool = False,
    ) -> None:
        self.log = log
        self.history_length = history_length
        self.with_choices = with_choices
        self.exclude_seen = exclude_seen
        self.signals = tuple(signals) if signals is not None else log.signals
        self._places = [log.signals.index(name) if name in log.signals else None for name in self.signals]

    def at(self, rows: Tensor, until: Tensor | None = None) -> Transition:
        """The transitions of the rows `[B]`.

        until: `[B]`, where a transition spans several interactions, its last row, in the same sequence: the next observation is what
            follows it. Slate, response and reward are those of `rows` all the same. None: `rows`.
        """
        log, size = self.log, len(rows)
        until = rows if until is None else until
        starts = log.starts[rows]
        ends = log.last[until]
        zeros = torch.zeros(size, device=rows.device)
        feedback = log.feedback[rows]
        signals = {
            name: (zeros if place is None else feedback[:, place])[:, None] for name, place in zip(self.signals, self._places, strict=True)
        }
        reward = zeros if log.rewards is None else log.rewards[rows]
        observation = observations(log, starts, rows, self.history_length, self.signals)
        if self.with_choices:
            restrict(observation, log, starts, rows, log.choices, self.exclude_seen)
        return Transition(
            observation=observation,
            slate=log.items[rows][:, None],
            log_prob=zeros if log.propensities is None else log.propensities[rows].log(),
            response=Response(signals=TensorDict(signals, batch_size=[size]), leave=log.last[rows], batch_size=[size]),
            reward=reward,
            item_reward=reward[:, None],
            next_observation=observations(log, starts, until + 1, self.history_length, self.signals),
            terminated=ends,
            truncated=torch.zeros_like(ends),
            batch_size=[size],
        )
