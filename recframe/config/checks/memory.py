"""An estimate of the memory that the sizes in a config ask for, before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

BYTES_OF_AN_INTERACTION = 12
"""An item number of 64 bits and a response of 32 bits."""
BYTES_OF_A_STEP = 64
"""The rest of a transition, at least: users, actions, rewards, signals and flags."""
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_problems(values: Mapping[str, Any]) -> list[str]:
    """One line for each group of settings whose tensors alone, at the least, are larger than the memory of this machine.

    Only the CPU's memory is known without heavy imports, so nothing is estimated for runs on a GPU.
    """
    available = machine_memory()
    if available is None or str(values["device"]).startswith("cuda"):
        return []
    return [
        f"{keys}: {what} needs at least {_gigabytes(size)}, and this machine has {_gigabytes(available)}; lower one of these settings"
        for keys, what, size in _sizes(values)
        if size > available
    ]


def machine_memory() -> int | None:
    """The memory of this machine in bytes, or of the container that this process runs in; None if the system does not tell."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    with suppress(OSError, ValueError):
        memory = min(memory, int(CGROUP_LIMIT.read_text()))
    return memory


def _sizes(values: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """(keys, what is stored, bytes) of the largest tensors, as far as the sections have the settings."""
    history = _number(values["state_tracker"], "history_length", 0)
    users = _number(values["environment"], "num_users", 1)
    observation = history * BYTES_OF_AN_INTERACTION
    transition = 2 * observation + BYTES_OF_A_STEP
    length = f"state_tracker.history_length={history}"
    if capacity := _number(values["agent"], "replay_capacity", 0):
        yield f"agent.replay_capacity={capacity} with {length}", "the replay memory", capacity * transition
    if batch := _number(values["agent"], "batch_size", 0):
        yield f"agent.batch_size={batch} with {length}", "a batch", batch * transition
    chunk = values["trainer"]["chunk_steps"]
    yield f"trainer.chunk_steps={chunk} with environment.num_users={users} and {length}", "a chunk", chunk * users * transition
    for key, evaluated in (("num_users", values["evaluation"]["num_users"]), ("periodic_users", values["evaluation"]["periodic_users"])):
        yield f"evaluation.{key}={evaluated} with {length}", "the history of these users", evaluated * observation


def _number(section: Any, name: str, otherwise: int) -> int:
    value = section.get(name) if isinstance(section, Mapping) else None
    return value if isinstance(value, int) and value > 0 else otherwise


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB"
