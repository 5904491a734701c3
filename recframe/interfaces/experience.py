"""The kinds of training batches that an agent can ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Replay:
    """Learn from transitions sampled from the last `capacity`.

    After each chunk, once the memory holds `learning_starts` transitions, `updates_per_chunk` batches of `batch_size` are sampled. They
    are sampled uniformly, or with probabilities proportional to priorities to the power of `priority_exponent` (alpha; 0: uniformly) and
    weighted by importance to the power of `importance_exponent` (beta; Schaul et al., 2016). Beta is constant, or rises linearly to 1
    while `importance_anneal_steps` transitions are collected. `n_step` > 1 joins up to that many successive transitions of a user into
    one, discounted by `gamma` (Sutton, 1988).

    `with_choices`: where the transitions are those of a log, `observation` (not `next_observation`) says what could be recommended, by
    `candidates` and `excluded`: not what the evaluation excludes, and what the log says of each decision (`Log.choices`). Otherwise neither
    is set. A simulator's observations always say it.
    """

    capacity: int
    batch_size: int
    learning_starts: int
    updates_per_chunk: int
    n_step: int = 1
    gamma: float = 1.0
    priority_exponent: float = 0.0
    importance_exponent: float = 0.4
    importance_anneal_steps: int | None = None
    with_choices: bool = False


@dataclass(frozen=True)
class Rollout:
    """Learn on-policy: each chunk is passed to `losses` once, whole, as a `[T, N]` transition in order of time, then dropped."""


@dataclass(frozen=True)
class Sequences:
    """Learn from whole sequences of logged interactions: batches of `batch_size` sequences, a `SequenceBatch` each.

    Of a sequence longer than `length` + 1 interactions, a window of that many is drawn uniformly. Sequences of one interaction, which
    have no next item, are left out. Only a log has them (`stages=[logged]`).

    `with_choices`: `SequenceBatch.earlier` is set where the evaluation excludes what was met before.
    """

    batch_size: int
    length: int
    with_choices: bool = False


@dataclass(frozen=True)
class WholeLog:
    """Learn in closed form, or by passes of one's own, from the whole log at once: `losses` is called once, with a `Log`."""


@dataclass(frozen=True)
class NoExperience:
    """Learn nothing: the agent only acts."""


Experience = Replay | Rollout | Sequences | WholeLog | NoExperience
