"""A training in several processes (`trainer.devices`) beside the same training in one: speed, and the difference of the results.

    python benchmarks/devices.py
    python benchmarks/devices.py --pairs 1 --users 16 --env-steps 256 --agents ppo      # to see that it works

The runs are whole runs, in turns. Their speed is that of training alone, from their last epoch, without start-up and evaluations. Another
program that runs at the same time costs two processes that wait for each other more than it costs one.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import load_file
from torch import Tensor

import recframe

COMMON = ["encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.sample_users=0", "evaluation.num_users=64"]
COMMON += ["evaluation.periodic_users=64", "trainer.final_weights=last", "trainer.log_every=1", "trainer.progress_bar=false"]


class Measured(NamedTuple):
    """User-steps a second in training, the return on training people, and the trained weights."""

    speed: float
    objective: float
    weights: dict[str, Tensor]


def measure(agent: str, users: int, env_steps: int, devices: int) -> Measured:
    """One run."""
    sizes = [f"environment.num_users={users}", f"trainer.env_steps={env_steps}", f"trainer.evaluate_every={env_steps}"]
    with tempfile.TemporaryDirectory() as folder:
        result = recframe.run([*COMMON, *sizes, f"agent={agent}", f"trainer.devices={devices}"], folder=Path(folder) / "run", quiet=True)
        with (result.folder / "metrics.csv").open(encoding="utf-8") as file:
            speeds = [float(row["train/env_steps_per_second"]) for row in csv.DictReader(file) if row["train/env_steps_per_second"]]
        # the first chunks come with allocations and checks
        weights = load_file(result.folder / "checkpoints" / "final.safetensors")
        return Measured(statistics.median(speeds[len(speeds) // 4 :]), result.objective, weights)


def largest_difference(one: Measured, other: Measured) -> float:
    """Between two runs' weights."""
    return max(float((value - other.weights[name]).abs().max()) for name, value in one.weights.items() if value.is_floating_point())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--users", type=int, nargs="+", default=[128, 2048])
    parser.add_argument("--env-steps", type=int, default=None, help="[default: 40 chunks of all users]")
    parser.add_argument("--agents", nargs="+", default=["actor_critic", "ppo", "dqn"])
    options = parser.parse_args(arguments)
    columns = ["agent", "users", "user-steps/s, 1 process", f"{options.devices} processes", "ratio"]
    print(f"| {' | '.join([*columns, 'largest difference of a weight', 'of the return'])} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for agent in options.agents:
        for users in options.users:
            steps = options.env_steps or users * 8 * 40
            pairs = [[measure(agent, users, steps, devices) for devices in (1, options.devices)] for _ in range(options.pairs)]
            one, several = (statistics.median(speeds) for speeds in zip(*([run.speed for run in pair] for pair in pairs), strict=True))
            ratio = statistics.median(pair[1].speed / pair[0].speed for pair in pairs)
            first, last = pairs[0]
            difference, returns = largest_difference(first, last), abs(first.objective - last.objective)
            print(f"| {agent} | {users:,} | {one:,.0f} | {several:,.0f} | {ratio:.2f} | {difference:.1g} | {returns:.2g} |", flush=True)


if __name__ == "__main__":
    main()
