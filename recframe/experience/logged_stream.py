"""Training batches from a log, for each kind of experience that an agent can ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recframe.experience.logged_replay import LoggedReplay
from recframe.experience.streams import Stream
from recframe.interfaces import Agent, Log, Replay, Sequences, WholeLog
from recframe.logs.sequences import SequenceSampler


class LoggedStream(Stream):
    """A number of batches of a log a chunk.

    Parameters
    ----------
    log: the training part, with rewards.   history_length: H of observations.
    signals: those of the run's observations, in order.   chunk_batches: batches in a chunk.
    exclude_seen: whether the evaluation excludes what was met before, for agents that ask (`Replay.with_choices`).
    """

    unit = "batches"

    def __init__(self, chunk_batches: int) -> None:
        self.chunk = chunk_batches
        self.taken = 0

    @classmethod
    def of(
        cls,
        agent: Agent,
        log: Log,
        *,
        history_length: int,
        signals: Sequence[str],
        chunk_batches: int,
        seed: int,
        exclude_seen: bool = False,
    ) -> LoggedStream:
        """The stream of the experience that `agent` asks for.

        Raises
        ------
        TypeError: a log does not have that kind of experience.
        """
        agent.prepare_to_learn(log)
        match agent.experience_in("logged"):
            case Replay() as plan:
                return ReplayedLog(plan, log, history_length, signals, chunk_batches, seed, exclude_seen)
            case Sequences() as plan:
                return SequencesOfLog(plan, log, signals, chunk_batches, seed, exclude_seen)
            case WholeLog():
                return WholeLogOnce(log)
            case experience:
                raise TypeError(f"a log does not give the experience {type(experience).__name__}")

    def collect(self, agent: Agent) -> None:
        """Count a chunk: the log is there."""
        self.taken += self.chunk

    def steps(self, agent: Agent) -> int:
        """Batches so far."""
        return self.taken

    def state_dict(self) -> dict[str, Any]:
        """The number of batches so far, and the state of the draws."""
        return {"log": {"taken": self.taken, **self.draws()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self.taken = int(state["log"]["taken"])
        self.restore_draws(state["log"])

    def draws(self) -> dict[str, Any]:
        """The state of the draws of batches."""
        return {}

    def restore_draws(self, state: dict[str, Any]) -> None:
        """Restore it."""


class ReplayedLog(LoggedStream):
    """Transitions drawn from the rows of the log."""

    def __init__(
        self, plan: Replay, log: Log, history_length: int, signals: Sequence[str], chunk_batches: int, seed: int, exclude_seen: bool
    ) -> None:
        super().__init__(chunk_batches)
        self.plan = plan
        self.replay = LoggedReplay(
            log,
            history_length,
            signals,
            seed,
            n_step=plan.n_step,
            gamma=plan.gamma,
            priority_exponent=plan.priority_exponent,
            importance_exponent=plan.importance_exponent,
            importance_anneal_steps=plan.importance_anneal_steps,
            with_choices=plan.with_choices,
            exclude_seen=exclude_seen,
        )

    def batches(self) -> Iterator[Any]:
        """Samples of `batch_size` rows."""
        for _ in range(self.chunk):
            yield self.replay.sample(self.plan.batch_size)

    def learned(self, priorities: Tensor | None) -> None:
        """Store the priorities, if replay is prioritized."""
        if self.plan.priority_exponent == 0:
            return
        if priorities is None:
            raise ValueError("the agent asks for prioritized replay, but its priorities() is None: return them `[B]` after losses()")
        self.replay.set_priorities(priorities)

    def draws(self) -> dict[str, Any]:
        """The state of the replay."""
        return {"replay": self.replay.state_dict()}

    def restore_draws(self, state: dict[str, Any]) -> None:
        """Restore the replay."""
        self.replay.load_state_dict(state["replay"])


class SequencesOfLog(LoggedStream):
    """Windows of the log's sequences."""

    def __init__(self, plan: Sequences, log: Log, signals: Sequence[str], chunk_batches: int, seed: int, exclude_seen: bool) -> None:
        super().__init__(chunk_batches)
        generator = torch.Generator(log.items.device)
        generator.manual_seed(seed)
        self.sampler = SequenceSampler(log, plan, generator, signals, exclude_seen)

    def batches(self) -> Iterator[Any]:
        """Batches of windows."""
        for _ in range(self.chunk):
            yield self.sampler.draw()

    def draws(self) -> dict[str, Any]:
        """The state of the sampler."""
        return {"sampler": self.sampler.state_dict()}

    def restore_draws(self, state: dict[str, Any]) -> None:
        """Restore the sampler."""
        self.sampler.load_state_dict(state["sampler"])


class WholeLogOnce(LoggedStream):
    """The whole log as a single batch."""

    only_once = True

    def __init__(self, log: Log) -> None:
        super().__init__(1)
        self.log = log

    def batches(self) -> Iterator[Any]:
        """The log."""
        yield self.log
