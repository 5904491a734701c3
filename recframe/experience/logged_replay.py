"""Replay of a log: transitions drawn from its rows and made on the fly, in place of a memory that is filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.experience.n_step import Ring, n_step_return
from recframe.experience.priorities import Priorities
from recframe.interfaces import NO_LIST, Log, Transition, restore_generator
from recframe.logs import LoggedTransitions


class LoggedReplay:
    """The rows of a log, sampled with replacement with a generator of its own: `ReplayMemory` for what was logged.

    Every row is in it from the start, those with an empty history too. Histories are not stored, so it takes no memory besides the log's
    and one number for each row if sampling is prioritized. Everything is on the log's device.

    Parameters
    ----------
    log: with its rewards (see `with_rewards`).
    history_length: H.
    signals: the names in `Observation.history_feedback`, in order; None: the log's.
    n_step, gamma: join up to `n_step` successive interactions of a sequence into one transition, discounted by `gamma`.
    priority_exponent, importance_exponent: as in `ReplayMemory`.
    with_choices, exclude_seen: as in `LoggedTransitions`. Where only some rows have candidates, a batch is drawn from these alone, or from
        the others alone, with the probabilities of their shares of the log.
    importance_anneal_steps: transitions drawn while beta rises linearly to 1; None: beta is constant. (A replay memory counts those added;
        to a log none are added.)

    Raises
    ------
    ValueError: the log has no rewards, or only some rows have candidates, and replay is prioritized.
    """

    def __init__(
        self,
        log: Log,
        history_length: int,
        signals: Sequence[str] | None,
        seed: int,
        *,
        n_step: int = 1,
        gamma: float = 1.0,
        priority_exponent: float = 0.0,
        importance_exponent: float = 0.4,
        importance_anneal_steps: int | None = None,
        with_choices: bool = False,
        exclude_seen: bool = False,
    ) -> None:
        if log.rewards is None:
            raise ValueError("a log without rewards cannot be replayed: call with_rewards before")
        self.log = log
        self.transitions = LoggedTransitions(log, history_length, signals, with_choices=with_choices, exclude_seen=exclude_seen)
        self._kinds = _kinds(log) if with_choices else None
        if self._kinds is not None and priority_exponent > 0:
            raise ValueError("only some rows of the log have candidates: with choices, such a log cannot be replayed by priorities")
        self.n_step = n_step
        self.gamma = gamma
        self.importance_start = importance_exponent
        self.importance_anneal_steps = importance_anneal_steps
        self.drawn = 0
        self.device = log.items.device
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)
        self.priorities = Priorities(len(log), priority_exponent, self.device) if priority_exponent > 0 else None
        if self.priorities is not None:
            self.priorities.set_largest(0, len(log))
        self._sampled: Tensor | None = None

    def __len__(self) -> int:
        return len(self.log)

    @property
    def importance_exponent(self) -> float:
        """The current beta."""
        start, steps = self.importance_start, self.importance_anneal_steps
        return start if steps is None else start + (1.0 - start) * min(self.drawn / steps, 1.0)

    def sample(self, batch_size: int) -> Transition:
        """`batch_size` transitions; with `discount` if they may span several steps, and with `weight` if sampling is prioritized."""
        if self.priorities is None:
            batch = self._at(self._drawn(batch_size))
        else:
            rows, weights = self.priorities.draw(batch_size, len(self.log), self.importance_exponent, self.generator)
            self._sampled = rows
            batch = self._at(rows)
            batch.weight = weights
        self.drawn += batch_size
        return batch

    def _drawn(self, count: int) -> Tensor:
        """Rows `[count]`, each uniformly; where only some have candidates, all with some or all without."""
        if self._kinds is None:
            return self._places(len(self.log), count)
        listed, others = self._kinds
        kind = listed if int(self._places(len(self.log), 1)) < len(listed) else others
        return kind[self._places(len(kind), count)]

    def _places(self, size: int, count: int) -> Tensor:
        return torch.randint(size, (count,), generator=self.generator, device=self.device)

    def _at(self, rows: Tensor) -> Transition:
        log = self.log
        if self.n_step == 1:
            return self.transitions.at(rows)
        assert log.rewards is not None
        # a log is a ring of one user that has just been filled: a step's successor is the next row, up to the end of its sequence
        reward, discount, last = n_step_return(Ring(len(log), 0, 1), rows, log.rewards, log.last, self.n_step, self.gamma)
        batch = self.transitions.at(rows, last)
        batch.reward, batch.discount = reward, discount
        return batch

    def set_priorities(self, priorities: Tensor) -> None:
        """Set the priority of each transition of the last sample, `[B]` >= 0."""
        if self.priorities is None or self._sampled is None:
            raise ValueError("priorities can be set only after a prioritized replay was sampled")
        self.priorities.update(self._sampled, priorities)

    def state_dict(self) -> dict[str, Any]:
        """The state of the draws; the log is not part of it."""
        return {
            "rows": len(self.log),
            "drawn": self.drawn,
            "generator": self.generator.get_state(),
            "priorities": None if self.priorities is None else self.priorities.state_dict(len(self.log)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a replay of the same log with the same options.

        Raises
        ------
        ValueError: it is that of a log of another size.
        """
        if state["rows"] != len(self.log):
            raise ValueError(f"the saved replay is of a log of {state['rows']:,} interactions; this one has {len(self.log):,}")
        self.drawn = int(state["drawn"])
        restore_generator(self.generator, state["generator"])
        if self.priorities is not None:
            self.priorities.load_state_dict(state["priorities"])


def _kinds(log: Log) -> tuple[Tensor, Tensor] | None:
    """The rows with candidates and those without, `[n]` int64 each, if there are both."""
    if log.choices is None:
        return None
    listed = log.choices.candidates != NO_LIST
    kinds = listed.nonzero().squeeze(1), (~listed).nonzero().squeeze(1)
    return kinds if all(map(len, kinds)) else None
