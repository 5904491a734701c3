"""The rules for the sizes of a run: what fits together, and what fits into the memory of the machine that trains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recframe.components import Component
from recframe.config.app import Composed
from recframe.config.checks.init import init_problems
from recframe.config.checks.memory import memory_problems
from recframe.config.checks.monitor import direction_problems
from recframe.config.checks.sections import check_fields
from recframe.config.checks.stages import SIMULATED, in_closed_form
from recframe.config.schema.run import AuxiliaryConfig, EvaluationConfig, TrainerConfig

SECTIONS = {"trainer": TrainerConfig, "evaluation": EvaluationConfig, "auxiliary": AuxiliaryConfig}
"""The sections from which sizes are computed."""
MOST_OVERSHOOT, MOST_OVERSHOOT_OF_SMALL = 2, 10
"""Training ends after a whole chunk, so it may be longer than `trainer.env_steps`, with a warning; at most this many times as long.

A small chunk is over at once: that a trial of the smallest size is longer is no harm."""
SMALL_CHUNK = 1_024
"""The user-steps of such a chunk at most, which are those of the default."""


def start_rules(composed: Composed) -> list[str]:
    """What a run needs to be trained on this machine. A run of a larger machine, or one whose `init` is gone, may be evaluated here, and
    so may one that has kept the worst weights, or that earlier releases have trained for several times as long as was asked for.
    """
    values, chosen = composed.values, composed.components
    problems = init_problems(composed) + memory_problems(values, chosen) + _overshoot_problems(values, chosen, MOST_OVERSHOOT)
    return problems + direction_problems(values, chooses=not in_closed_form(chosen))


def size_problems(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """Settings of the agent that do not go with the number of users or the length of training; an agent may lack these settings.

    Where a size is a mistake in itself, nothing is computed from it.
    """
    if any(check_fields(f"{key}.", values[key], schema) for key, schema in SECTIONS.items()):
        return []
    agent, environment = ({} if not isinstance(values[key], Mapping) else values[key] for key in ("agent", "environment"))
    batch = agent.get("batch_size")
    capacity, users = agent.get("replay_capacity"), environment.get("num_users")
    starts, env_steps = agent.get("learning_starts"), values["trainer"]["env_steps"]
    problems = []
    if isinstance(capacity, int) and isinstance(users, int) and capacity < users:
        problems.append(f"agent.replay_capacity={capacity} holds less than one step of environment.num_users={users}; raise it")
    elif isinstance(capacity, int) and isinstance(batch, int) and batch > capacity:
        problems.append(f"agent.batch_size={batch} is more than agent.replay_capacity={capacity} holds; lower it")
    if SIMULATED not in values["stages"]:
        return problems
    chunk = values["trainer"]["chunk_steps"]
    n_step, parts = agent.get("n_step"), agent.get("minibatches")
    if isinstance(n_step, int) and isinstance(capacity, int) and isinstance(users, int) and users <= capacity < n_step * users:
        problems.append(
            f"agent.n_step={n_step} steps of environment.num_users={users} are more than agent.replay_capacity={capacity} holds; lower it"
        )
    if isinstance(parts, int) and isinstance(users, int) and parts > chunk * users:
        problems.append(
            f"agent.minibatches={parts} is more than the {chunk * users:,} steps of a chunk (trainer.chunk_steps={chunk} of "
            f"environment.num_users={users}); lower it"
        )
    problems += _overshoot_problems(values, chosen, MOST_OVERSHOOT_OF_SMALL)
    if isinstance(starts, int) and isinstance(env_steps, int) and starts > env_steps:
        problems.append(f"agent.learning_starts={starts} is more than trainer.env_steps={env_steps}: nothing would be learned; lower it")
    return problems


def _overshoot_problems(values: Mapping[str, Any], chosen: Mapping[str, Component], most: int) -> list[str]:
    """The problem of a chunk that is more than `most` times as long as training, or, if it is small, `MOST_OVERSHOOT_OF_SMALL` times.

    An agent that learns nothing, or at once, has no chunks.
    """
    chunk, env_steps = values["trainer"]["chunk_steps"], values["trainer"]["env_steps"]
    users = values["environment"].get("num_users") if isinstance(values["environment"], Mapping) else None
    if SIMULATED not in values["stages"] or not isinstance(users, int) or in_closed_form(chosen):
        return []
    steps = chunk * users
    if steps <= (MOST_OVERSHOOT_OF_SMALL if steps <= SMALL_CHUNK else most) * env_steps:
        return []
    return [
        f"trainer.chunk_steps={chunk} for environment.num_users={users} are {steps:,} user-steps before anything is learned, far more than "
        f"trainer.env_steps={env_steps:,}; lower it"
    ]
