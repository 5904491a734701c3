"""How fast agents train as the catalogue grows, beside stable-baselines3 on the same simulator through the bridge.

    python benchmarks/large_catalogues.py --out large_catalogues.json
    python benchmarks/large_catalogues.py --agents dqn --items 1000 10000 --seconds 2 --repeats 1      # about a minute
    python benchmarks/large_catalogues.py --device cuda

256 users of a topic world are shown one item at a time out of the whole catalogue, whose items have random text vectors of 64 dims. An
iteration is what training repeats: a chunk of 8 steps of all users, then the agent's updates, one batch each. All settings are recframe's
defaults; stable-baselines3 is given the same ones: see `stable_baselines_side.py`. Each measurement is a process of its own, times
iterations after two that warm up, and must finish within a limit of time and of memory. The two sides take turns, and ratios are taken
turn by turn, so that a machine whose speed drifts matters little. Figures are medians over the turns, with their range.
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
"""The catalogue that the largest is compared with."""

GRACE = 600
"""Seconds beyond its limit after which a process that does not answer is ended: making up a catalogue does not count for the limit."""


class Cell(NamedTuple):
    """What one measurement is of."""

    agent: str
    items: int
    side: str


Turns = dict[Cell, list[dict[str, Any]]]
"""What was found in each turn (`large_catalogue_cells.Found`)."""


def run_cell(cell: Cell, arguments: argparse.Namespace) -> dict[str, Any]:
    """What one process found."""
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
    # one failure must not cost what the others found; a signal's number is negative, and 9 is how the system ends who takes its last memory
    print(done.stderr, file=sys.stderr)
    return failed(f"ended with {done.returncode}")


def failed(why: str) -> dict[str, Any]:
    """Of a process that gave no answer."""
    return {"iteration": None, "longer_than": None, "failure": why}


def take_turns(arguments: argparse.Namespace) -> Turns:
    """All measurements; what did not come to a full iteration is not tried again."""
    turns: Turns = {}
    for turn, agent, items, side in product(range(arguments.repeats), arguments.agents, arguments.items, arguments.sides):
        cell = Cell(agent, items, side)
        if turn and turns[cell][-1]["iteration"] is None:
            continue
        found = run_cell(cell, arguments)
        turns.setdefault(cell, []).append(found)
        print(f"turn {turn + 1}: {agent} {items:,} {side}: {_told(found)}", file=sys.stderr, flush=True)
    return turns


def _told(found: dict[str, Any]) -> str:
    if found["iteration"] is not None:
        of_processor = f"{1000 * found['cpu']:,.0f} of the processor"
        return f"{1000 * found['iteration']:,.0f} ms an iteration, {of_processor} ({found['iterations']} timed)"
    return found["failure"] or f"more than {found['longer_than']:.0f} s an iteration"


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if len(values) == 1 else f"{middle} [{low}, {high}]"


def columns(found: Sequence[dict[str, Any]], device: str) -> list[str]:
    """Env steps/s, updates/s, ms an iteration, MiB; of a cell without a timed iteration, why."""
    last = found[-1]
    if last["iteration"] is None:
        return ["", "", last["failure"] or f"> {1000 * last['longer_than']:,.0f}", ""]
    place = "device" if device == "cuda" else "resident"
    steps, updates = ([one[name] / one["iteration"] for one in found] for name in ("env_steps", "updates"))
    times = [1000 * one["iteration"] for one in found]
    return [spread(steps), spread(updates, 2), spread(times), f"{max(one[place] for one in found):,.0f}"]


def ratio(above: Sequence[dict[str, Any]], below: Sequence[dict[str, Any]]) -> str:
    """How many times longer an iteration of `above` takes than one of `below`, turn by turn."""
    if not above or not below or below[-1]["iteration"] is None or above[-1]["failure"]:
        return ""
    if above[-1]["iteration"] is None:
        return f"> {above[-1]['longer_than'] / max(one['iteration'] for one in below):.1f}"
    return spread([one["iteration"] / other["iteration"] for one, other in zip(above, below, strict=False)], 2)


def speed_table(turns: Turns, device: str) -> str:
    """One row an agent and catalogue, both sides in it."""
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
    """How an iteration's time and the number of trained parameters grow from one catalogue to the largest."""
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
    """The line that says under what the figures were taken."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "stable-baselines3"))
    bounds = f"{arguments.limit:g} s" + (f" and {arguments.memory:g} GiB" if arguments.device == "cpu" else "")
    changed = f"; {' '.join(arguments.overrides)}" if arguments.overrides else ""
    turns = f"{arguments.repeats} turns of {arguments.seconds:g} s or more"
    place = f"{arguments.threads} threads, device {arguments.device}"
    return f"{place}, {arguments.users} users, {turns}, each process within {bounds}; {versions}{changed}"


def main() -> None:
    """Measure, print the tables, and write what they are made from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", nargs="+", default=AGENTS, choices=AGENTS)
    parser.add_argument("--items", nargs="+", type=int, default=ITEMS)
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--users", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=10.0, help="to be timed in each process, or three iterations if those take longer")
    parser.add_argument("--repeats", type=int, default=3, help="turns")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that a process may take to build its agent and be timed")
    parser.add_argument("--memory", type=float, default=16.0, help="GiB that a process may take; on a GPU what there is")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="torch's; all cores if not given")
    parser.add_argument("--override", dest="overrides", action="append", default=[], help="of recframe's defaults, as agent.neighbors=1")
    parser.add_argument("--out", type=Path, help="JSON file of everything found")
    arguments = parser.parse_args()
    turns = take_turns(arguments)
    print(f"{settings(arguments)}\n\n{speed_table(turns, arguments.device)}\n\n{growth_table(turns)}")
    if arguments.out:
        cells = [{**cell._asdict(), "turn": turn, **one} for cell, found in turns.items() for turn, one in enumerate(found, 1)]
        plain = {**vars(arguments), "out": str(arguments.out), "versions": {name: version(name) for name in ("torch", "stable-baselines3")}}
        arguments.out.write_text(json.dumps({"settings": plain, "cells": cells}, indent=1) + "\n")


if __name__ == "__main__":
    main()
