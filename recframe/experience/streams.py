"""Streams of training batches: what one chunk of training learns from, in a simulator or in a log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from recframe.attribution import ComponentFailure
from recframe.experience.batch_sources import BatchSource, batch_source_for
from recframe.experience.cold_items import sharing_exclusions
from recframe.experience.collector import Collector
from recframe.interfaces import Agent, Replay, Rollout, division


class Stream(ABC):
    """Makes the batches of a stage of training, chunk by chunk.

    Attributes
    ----------
    unit: what the stage's length counts: "env_steps" (user-steps in a simulator) or "batches" (of a log).
    chunk: the number of these units in a chunk.
    """

    unit: str
    chunk: int
    only_once: bool = False
    """Whether a single chunk is all there is."""

    @abstractmethod
    def collect(self, agent: Agent) -> Tensor | None:
        """Take in the experience of one chunk. Returns the sum of its rewards, which must be a finite number, or None."""

    @abstractmethod
    def batches(self) -> Iterator[Any]:
        """The batches to learn from after a chunk is taken in."""

    @abstractmethod
    def steps(self, agent: Agent) -> int:
        """How many units the stage has had so far; those of a chunk count from `collect` on."""

    def learned(self, priorities: Tensor | None) -> None:
        """Called after each batch with the agent's `Agent.priorities()` for it."""

    def metrics(self) -> dict[str, float]:
        """What is worth logging of the experience since the last call."""
        return {}

    def not_finite(self) -> ComponentFailure | None:
        """The failure of the component that was the first to give NaN or an infinite number in this chunk; None if none did."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed run needs."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""


class SimulatedStream(Stream):
    """T steps of N simulated users a chunk, in which the agent explores.

    Where the users are divided over processes, each collects the steps of its own, and samples its part of a batch from them.
    """

    unit = "env_steps"

    def __init__(self, collector: Collector, source: BatchSource, chunk_steps: int) -> None:
        self.collector = collector
        self.source = source
        self.chunk_steps = chunk_steps
        self.chunk = chunk_steps * collector.environment.spec.num_users * division().ranks

    @classmethod
    def of(cls, agent: Agent, collector: Collector, chunk_steps: int, seed: int) -> SimulatedStream:
        """The stream of the experience that `agent` asks for; an agent without experience gets an empty one.

        Raises
        ------
        TypeError: only a log has that kind of experience.
        """
        experience = agent.experience_in("simulated")
        if not isinstance(experience, (Replay, Rollout)):
            raise TypeError(f"{type(experience).__name__} is experience from a log, and this stage is simulated")
        part = division()
        if isinstance(experience, Replay) and part.ranks > 1:
            sizes = {name: getattr(experience, name) // part.ranks for name in ("capacity", "batch_size", "learning_starts")}
            # of different draws in each process
            experience, seed = replace(experience, **sizes), seed + part.rank
        source = batch_source_for(experience, seed, agent.spec.device)
        return cls(collector, sharing_exclusions(source, collector.environment.always_excluded), chunk_steps)

    def collect(self, agent: Agent) -> Tensor:
        """T steps of all users."""
        agent.prepare_to_act()
        self.collector.start_chunk(agent)
        total: Tensor | None = None
        for _ in range(self.chunk_steps):
            transition = self.collector.step(agent)
            reward = transition.reward.sum()
            total = reward if total is None else total + reward
            self.source.add(transition)
        assert total is not None
        return total

    def batches(self) -> Iterator[Any]:
        """Those of the source."""
        return self.source.batches()

    def learned(self, priorities: Tensor | None) -> None:
        """Tell the source."""
        self.source.learned(priorities)

    def steps(self, agent: Agent) -> int:
        """User-steps over all users."""
        return agent.env_steps

    def not_finite(self) -> ComponentFailure | None:
        """Of the environment, the agent's actions, or a term of the reward."""
        return self.collector.not_finite()

    def metrics(self) -> dict[str, float]:
        """The sessions that ended since the last call."""
        sessions = self.collector.ended_sessions()
        if not sessions.num_sessions:
            return {}
        means = {"train/sessions": sessions.num_sessions, "train/return": sessions.mean_return, "train/length": sessions.mean_length}
        return means | {f"train/reward/{name}": value for name, value in sessions.terms.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state of collector and source."""
        return {"collector": self.collector.state_dict(), "source": self.source.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore collector and source."""
        self.collector.load_state_dict(state["collector"])
        self.source.load_state_dict(state["source"])
