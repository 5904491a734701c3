"""Training speed of agents as the catalogue grows, compared with stable-baselines3 on the same simulator through the bridge.

    python benchmarks/large_catalogues.py --out large_catalogues.json
    python benchmarks/large_catalogues.py --agents dqn --items 1000 10000 --seconds 2 --repeats 1      # about a minute
    python benchmarks/large_catalogues.py --device cuda

256 users of a topic world are shown one item at a time from the whole catalogue, whose items have random text vectors of 64 dimensions.
An iteration is a chunk of 8 steps of all users, followed by the agent's updates, one batch each. All settings are recframe's defaults;
stable-baselines3 has the same settings: see `stable_baselines_side.py`. Each measurement is a separate process, which times iterations
after two that warm up, and has limits of time and memory. The two libraries take turns, and ratios are computed for each turn, so that
changes in the machine's speed hardly matter. The tables show medians over the turns, with their range.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

AGENTS = ("dqn", "ddpg", "reinforce", "actor_critic")
ITEMS = (1_000, 10_000, 100_000, 1_000_000)
SIDES = ("recframe", "stable-baselines3")
BASE = 10_000
"""The number of items that the largest catalogue is compared with."""

GRACE = 600
"""Seconds after its limit at which a process without an answer is ended: creating a catalogue does not count towards the limit."""


class Cell(NamedTuple):
    """The agent, catalogue and library of a measurement."""

    agent: str
    items: int
    side: str


Turns = dict[Cell, list[dict[str, Any]]]
"""The results of each turn (`large_catalogue_cells.Found`)."""


def run_cell(cell: Cell, arguments: argparse.Namespace) -> dict[str, Any]:
    """The result of one process."""
    script = Path(__file__).with_name("large_catalogue_cells.py")
    command = [sys.executable, str(script), cell.side, cell.agent, str(cell.items), *arguments.overrides]
    for name in ("users", "seconds", "limit", "memory", "device", "threads"):
        command += [f"--{name}", str(getattr(arguments, name))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=arguments.limit + GRACE)
    except subprocess.TimeoutExpired:
        return failed(f"no answer after {arguments.limit + GRACE:.0f} s")
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    # a failure must not lose the other results; the code of a signal is negative, and -9 usually means that memory ran out
    print(done.stderr, file=sys.stderr)
    return failed(f"ended with {done.returncode}")


def failed(why: str) -> dict[str, Any]:
    """The result of a process without an answer."""
    return {"iteration": None, "longer_than": None, "failure": why}


def take_turns(arguments: argparse.Namespace) -> Turns:
    """All measurements; one without a complete iteration is not repeated."""
    turns: Turns = {}
    for turn, agent, items, side in product(range(arguments.repeats), arguments.agents, arguments.items, arguments.sides):
        cell = Cell(agent, items, side)
        if turn and turns[cell][-1]["iteration"] is None:
            continue
        found = run_cell(cell, arguments)
        turns.setdefault(cell, []).append(found)
        print(f"turn {turn + 1}: {agent} {items:,} {side}: {_described(found)}", file=sys.stderr, flush=True)
    return turns


def _described(found: dict[str, Any]) -> str:
    if found["iteration"] is not None:
        of_processor = f"{1000 * found['cpu']:,.0f} ms of CPU"
        return f"{1000 * found['iteration']:,.0f} ms an iteration, {of_processor} ({found['iterations']} timed)"
    return found["failure"] or f"more than {found['longer_than']:.0f} s an iteration"


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} [{low}, {high}]"


def columns(found: Sequence[dict[str, Any]], device: str) -> list[str]:
    """Env steps/s, updates/s, ms per iteration and MiB; for a cell without a timed iteration, the reason."""
    last = found[-1]
    if last["iteration"] is None:
        return ["", "", last["failure"] or f"> {1000 * last['longer_than']:,.0f}", ""]
    place = "device" if device == "cuda" else "resident"
    steps, updates = ([one[name] / one["iteration"] for one in found] for name in ("env_steps", "updates"))
    times = [1000 * one["iteration"] for one in found]
    return [spread(steps), spread(updates, 2), spread(times), f"{max(one[place] for one in found):,.0f}"]


def ratio(above: Sequence[dict[str, Any]], below: Sequence[dict[str, Any]]) -> str:
    """The ratio of the iteration times of `above` and `below`, for each turn."""
    if not above or not below or below[-1]["iteration"] is None or above[-1]["failure"]:
        return ""
    if above[-1]["iteration"] is None:
        return f"> {above[-1]['longer_than'] / max(one['iteration'] for one in below):.1f}"
    return spread([one["iteration"] / other["iteration"] for one, other in zip(above, below, strict=False)], 2)


def speed_table(turns: Turns, device: str) -> str:
    """One row for each agent and catalogue, with both libraries."""
    what = ("env steps/s", "updates/s", "ms an iteration", "MiB")
    sides = list(dict.fromkeys(cell.side for cell in turns))
    head = ["agent", "items", *(f"{side}: {name}" if name == what[0] else name for side in sides for name in what)]
    if len(sides) > 1:
        head.append("times as fast")
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for agent, items in dict.fromkeys((cell.agent, cell.items) for cell in turns):
        found = [turns[Cell(agent, items, side)] for side in sides]
        row = [f"`{agent}`", f"{items:,}", *(text for one in found for text in columns(one, device))]
        if len(sides) > 1:
            row.append(ratio(found[1], found[0]))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def growth_table(turns: Turns) -> str:
    """The growth of the iteration time and of the number of trained parameters with the catalogue."""
    sizes = sorted({cell.items for cell in turns})
    base, top = BASE if BASE in sizes[:-1] else sizes[0], sizes[-1]
    head = ["agent", "side", f"time at {top:,} / at {base:,}", *(f"parameters at {items:,}" for items in sizes)]
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    for agent, side in dict.fromkeys((cell.agent, cell.side) for cell in turns):
        of_size = {items: turns[Cell(agent, items, side)] for items in sizes}
        counts = [found[-1].get("parameters") for found in of_size.values()]
        row = [f"`{agent}`", side, ratio(of_size[top], of_size[base]), *(f"{count:,}" if count else "" for count in counts)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def settings(arguments: argparse.Namespace) -> str:
    """One line with the settings of the measurements."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "stable-baselines3"))
    bounds = f"{arguments.limit:g} s" + (f" and {arguments.memory:g} GiB" if arguments.device == "cpu" else "")
    changed = f"; {' '.join(arguments.overrides)}" if arguments.overrides else ""
    turns = f"{arguments.repeats} turns of {arguments.seconds:g} s or more"
    place = f"{arguments.threads} threads, device {arguments.device}"
    return f"{place}, {arguments.users} users, {turns}, each process within {bounds}; {versions}{changed}"


def main() -> None:
    """Measure, print the tables, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", nargs="+", default=AGENTS, choices=AGENTS)
    parser.add_argument("--items", nargs="+", type=int, default=ITEMS)
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--users", type=int, default=256)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="time of the timed iterations in each process, of which there are at least three"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument(
        "--limit", type=float, default=120.0, help="time limit of a process for building its agent and timing it, in seconds"
    )
    parser.add_argument("--memory", type=float, default=16.0, help="memory limit of a process in GiB; without effect on a GPU")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="PyTorch's threads [default: all cores]")
    parser.add_argument(
        "--override", dest="overrides", action="append", default=[], help="override of recframe's defaults, such as agent.neighbors=1"
    )
    parser.add_argument("--out", type=Path, help="JSON file for all results")
    arguments = parser.parse_args()
    turns = take_turns(arguments)
    print(f"{settings(arguments)}\n\n{speed_table(turns, arguments.device)}\n\n{growth_table(turns)}")
    if arguments.out:
        cells = [{**cell._asdict(), "turn": turn, **one} for cell, found in turns.items() for turn, one in enumerate(found, 1)]
        plain = {**vars(arguments), "out": str(arguments.out), "versions": {name: version(name) for name in ("torch", "stable-baselines3")}}
        arguments.out.write_text(json.dumps({"settings": plain, "cells": cells}, indent=1) + "\n")


if __name__ == "__main__":
    main()
