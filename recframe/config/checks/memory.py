"""An estimate of the memory that the sizes in a config ask for, before anything is allocated."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from recframe.components import FLOAT, Component, Kind, MemoryNeed, Sizes, memory_needs, node
from recframe.config.checks.sections import check_fields, section_at, with_key
from recframe.cores import CGROUP

BYTES_OF_AN_INTERACTION = 12
"""An item number of 64 bits and a response of 32 bits."""
BYTES_OF_AN_ITEM = 8
BYTES_OF_A_STEP = 64
"""The rest of a transition, at least: users, an action, rewards, signals and flags."""
CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""The files with the limit of a container, below `recframe.cores.CGROUP`, of version 2 and 1."""
NEAR = 0.6
"""The share of the memory from which on a warning is given: what is estimated is the least."""
NAMED = 3
"""The largest things, which a message about all of them names."""
SMALL = 0.01
"""The share of the largest below which a thing is not named."""


class Machine(NamedTuple):
    """A machine that runs jobs: what a message calls it, and its memory in bytes."""

    name: str
    memory: int


def memory_problems(values: Mapping[str, Any], chosen: Mapping[str, Component], sizes: Sizes | None = None) -> list[str]:
    """One line for each group of settings whose tensors alone, at the least, are larger than the memory of this machine; or one for all.

    Only the CPU's memory is known without heavy imports, so nothing is estimated for runs on a GPU.

    sizes: those of the data, where it is read already.
    """
    available = _available(values)
    if available is None:
        return []
    needs = _needs(values, chosen, sizes)
    alone = [
        f"{settings}: at least {_gigabytes(size)} for {what}, and this machine has {_gigabytes(available)}; lower one of these settings"
        for settings, what, size in needs
        if size > available
    ]
    total = sum(need.size for need in needs)
    return alone or ([f"memory: {_in_words(needs, total, available)}; lower one of these settings"] if total > available else [])


def memory_warning(
    values: Mapping[str, Any],
    chosen: Mapping[str, Component],
    sizes: Sizes | None = None,
    side_by_side: int = 1,
    machine: Machine | None = None,
) -> str:
    """A sentence about a run that may not fit into the memory of its machine, since its largest tensors take most of it; or ''.

    side_by_side: how many such runs share the machine.   machine: None: this one.
    """
    machine = machine or Machine("this machine", 0)
    available = None if _on_gpu(values) else machine.memory or machine_memory()
    needs = [] if available is None else _needs(values, chosen, sizes)
    total = side_by_side * sum(need.size for need in needs)
    near = available is not None and NEAR * available < total
    rest = "of which the rest of the run needs its share" if side_by_side == 1 else "in each; run fewer at a time, or lower these settings"
    return f"memory: {_in_words(needs, total, available, side_by_side, machine.name)}, {rest}" if near and available else ""


def machine_memory(cgroup: Path = CGROUP) -> int | None:
    """The memory of this machine in bytes, or of the container that this process runs in; None if the system does not tell."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
    for name in CGROUP_LIMITS:
        # "max", or a number larger than any memory: no limit
        with suppress(OSError, ValueError):
            memory = min(memory, int((cgroup / name).read_text(encoding="ascii")))
    return memory


def _available(values: Mapping[str, Any]) -> int | None:
    return None if _on_gpu(values) else machine_memory()


def _on_gpu(values: Mapping[str, Any]) -> bool:
    return str(values["device"]).startswith("cuda")


def _needs(values: Mapping[str, Any], chosen: Mapping[str, Component], sizes: Sizes | None) -> list[MemoryNeed]:
    """What a run holds at once, as far as its settings tell, the largest first."""
    sizes = sizes or declared_sizes(values, chosen)
    needs = [*_of_the_run(values, sizes), *_of_references(values, chosen, sizes), *_of_components(values, chosen, sizes)]
    return sorted((need for need in needs if need.size > 0), key=lambda need: -need.size)


def declared_sizes(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> Sizes:
    """The sizes that the config tells. A dataset that reads files does not know how many items they hold; one that makes items does."""
    environment = chosen.get("environment")
    read = environment is None or "catalog" not in environment.provides
    items = _number(values["dataset"], "num_items", 1) if read else 1
    return Sizes(
        items=items,
        texts=items,
        users=_number(values["environment"], "num_users", 1),
        history=_number(values["state_tracker"], "history_length", 0),
        slate=_number(values["environment"], "slate_size", 1),
    )


def _of_the_run(values: Mapping[str, Any], sizes: Sizes) -> Iterator[MemoryNeed]:
    """The transitions that the core holds, as far as the sections have the settings."""
    candidates = _number(values["environment"], "num_candidates", 0)
    observation = sizes.history * BYTES_OF_AN_INTERACTION + candidates * BYTES_OF_AN_ITEM
    transition = 2 * observation + BYTES_OF_A_STEP + (sizes.slate - 1) * (BYTES_OF_AN_ITEM + 8)
    given = {"state_tracker.history_length": sizes.history}
    given |= {"environment.num_candidates": candidates} if candidates else {}
    given |= {"environment.slate_size": sizes.slate} if sizes.slate > 1 else {}
    rest = " and ".join(f"{key}={value}" for key, value in given.items())
    simulated = "simulated" in values["stages"]
    # a log's transitions are made when a batch is drawn
    if (capacity := _number(values["agent"], "replay_capacity", 0)) and simulated:
        yield MemoryNeed(f"agent.replay_capacity={capacity} with {rest}", "the replay memory", capacity * transition)
    # other agents' batches are not of transitions
    if capacity and (batch := _number(values["agent"], "batch_size", 0)):
        yield MemoryNeed(f"agent.batch_size={batch} with {rest}", "a batch", batch * transition)
    if simulated:
        chunk = values["trainer"]["chunk_steps"]
        yield MemoryNeed(
            f"trainer.chunk_steps={chunk} with environment.num_users={sizes.users} and {rest}", "a chunk", chunk * sizes.users * transition
        )
        # evaluations follow one another
        settings = values["evaluation"]
        names = [name for name in ("num_users", "periodic_users", "tuning_sessions") if name != "tuning_sessions" or settings["references"]]
        name = max(names, key=lambda name: int(settings[name]))
        history = settings[name] * observation
        yield MemoryNeed(f"evaluation.{name}={settings[name]} with {rest}", "the history of these users", history)
        yield from _of_longer_histories(settings)
    auxiliary = values["auxiliary"]
    if auxiliary["weight"]:
        width = _number(values["state_tracker"], "item_dim", 1)
        drawn = min(auxiliary["negatives"], sizes.items) if sizes.items > 1 and auxiliary["predicts"] == "item" else 0
        yield MemoryNeed(f"auxiliary.negatives={auxiliary['negatives']}", "the vectors of these items", 4 * drawn * width)


def _of_longer_histories(settings: Mapping[str, Any]) -> Iterator[MemoryNeed]:
    """The histories of the references, where they read more of a session than the agent."""
    if not settings["references"] or not (length := settings["reference_history_length"]):
        return
    name = max(("num_users", "tuning_sessions"), key=lambda name: int(settings[name]))
    given = f"evaluation.reference_history_length={length} with evaluation.{name}={settings[name]}"
    yield MemoryNeed(given, "the history of these users that references read", settings[name] * length * BYTES_OF_AN_INTERACTION)


def _of_references(values: Mapping[str, Any], chosen: Mapping[str, Component], sizes: Sizes) -> Iterator[MemoryNeed]:
    """Tables of all users and items: of what references expect them to say, or, where the truth is known, of all that it tells them."""
    settings, environment = values["evaluation"], chosen.get("environment")
    given = set() if environment is None else environment.given(values["environment"])
    if not settings["references"] or "no_simulator" in given or "actions:items" not in given:
        return
    # the truth has a table for each signal, and one of who leaves
    tables = 1 + sum(tag.startswith("signal:") for tag in given) if "truth" in given else 1
    name = max(("num_users", "tuning_sessions"), key=lambda name: int(settings[name]))
    what = f"what references expect these users to say to each of {sizes.items:,} items"
    yield MemoryNeed(
        f"evaluation.references=true with evaluation.{name}={settings[name]}", what, FLOAT * tables * settings[name] * sizes.items
    )


def _of_components(values: Mapping[str, Any], chosen: Mapping[str, Component], sizes: Sizes) -> Iterator[MemoryNeed]:
    """What the components' own settings need, of those sections that have no mistakes."""
    environment = chosen.get("environment")
    unread = (Kind.DATASET, Kind.ENCODER) if environment is not None and "catalog" in environment.provides else ()
    for key, component in chosen.items():
        section = section_at(values, key)
        if component.kind in unread or check_fields(f"{key}.", section, node(component)):
            continue
        config = component.config(**{one.name: section[one.name] for one in dataclasses.fields(component.config) if one.name in section})
        for need in memory_needs(config, sizes):
            yield need._replace(settings=with_key(need.settings, component.kind, key))


def _in_words(needs: list[MemoryNeed], total: int, available: int, side_by_side: int = 1, machine: str = "this machine") -> str:
    named = [need for need in needs[:NAMED] if need.size > SMALL * needs[0].size]
    parts = ", ".join(f"{_gigabytes(size)} for {what} ({settings})" for settings, what, size in named)
    what = "this run needs" if side_by_side == 1 else f"{side_by_side} such runs at a time need"
    return f"{what} at least {_gigabytes(total)}, and {machine} has {_gigabytes(available)}: {parts}"


def _number(section: Any, name: str, otherwise: int) -> int:
    value = section.get(name) if isinstance(section, Mapping) else None
    return value if isinstance(value, int) and value > 0 else otherwise


def _gigabytes(size: int) -> str:
    amount = size / 2**30
    return f"{amount:,.0f} GiB" if amount >= 10 else f"{amount:,.1f} GiB"
