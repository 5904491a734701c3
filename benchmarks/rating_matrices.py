"""Agents against `posterior_greedy` where people's ratings of all items are known, over seeds and splits of the people.

    python benchmarks/rating_matrices.py dataset=synthetic_ratings environment.click_threshold=4
    python benchmarks/rating_matrices.py dataset=rating_matrix dataset.path=OUT.npy environment.click_threshold=8

The overrides are added to those of `WORLD`: ten turns without repetition, and the state tracker `posterior`. Printed is a table of clicks
in ten turns for each split, with intervals over seeds and held-out people, and paired differences from `posterior_greedy` over all splits:
the same person under the same split is one unit, whom all seeds share. The reference policies have no seed. With `evaluation.num_users`
equal to the number of held-out people, each is met once: such a world has no chance in it. `--agents` names agents, with settings of their
own after commas, as in `dqn,agent.gamma=0`. Runs are kept in `--out`, and a second call goes on with them.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import recframe
from recframe.evaluation.comparisons import compare
from recframe.evaluation.seed_intervals import CrossedBootstrap
from recframe.tracking.people_file import read_people

WORLD = ("encoder=id", "environment=rating_matrix", "environment.max_steps=10", "state_tracker=posterior", "logger=[csv]")
AGENTS = ("dqn", "ppo")
REFERENCES = ("random", "fixed_slate", "posterior_greedy", "oracle")
Sums = NDArray[np.float32]


def returns_of(folder: Path) -> dict[str, Sums]:
    """Each policy's sums `[P, 2]` of the return over the held-out people of a run."""
    people = read_people(folder)
    assert people is not None
    return {policy: metrics["return"] for policy, metrics in people.tables["policies"].items()}


def runs(overrides: list[str], agents: list[str], seeds: int, splits: int, out: Path) -> dict[str, Sums]:
    """The sums `[splits, seeds, P, 2]` of all policies, with one seed for the references."""
    found: dict[str, list[list[Sums]]] = {name: [[] for _ in range(splits)] for name in (*agents, *REFERENCES)}
    for split in range(splits):
        for place, agent in enumerate(agents):
            for seed in range(seeds):
                own = [f"agent={agent.split(',')[0]}", *agent.split(",")[1:], f"seed={seed}", f"dataset.split_seed={split}"]
                config = [*WORLD, *own, *overrides]
                folder = out / f"{agent.replace('/', '_')} split {split} seed {seed}"
                result = recframe.run(config, folder=folder)
                returns = returns_of(folder)
                found[agent][split].append(returns["trained"])
                if place == seed == 0:
                    for name in REFERENCES:
                        found[name][split].append(returns[name])
                mean, chosen = result.policies["trained"]["return"]["mean"], result.selection.get("env_steps", 0)
                logging.info("split %d seed %d %s: %.3f, weights after %d steps", split, seed, agent, mean, chosen)
    return {name: np.stack([np.stack(of_split) for of_split in of_splits]) for name, of_splits in found.items() if of_splits[0]}


def interval(sums: Sums) -> str:
    """The mean of `[S, P, 2]` and its interval."""
    (one,) = CrossedBootstrap(sums[..., :1].astype(float), sums[..., 1:].astype(float)).intervals()
    return f"{one.mean:.2f} [{one.low:.2f}, {one.high:.2f}]"


def table(found: dict[str, Sums]) -> str:
    """The results as a table in Markdown."""

    def pooled(sums: Sums) -> Sums:
        return np.concatenate(list(sums), axis=1)

    best = found["posterior_greedy"]
    against = pooled(best)
    header = ["policy", *(f"split {split}" for split in range(len(best))), "all", "less posterior_greedy"]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for name, sums in found.items():
        difference = ""
        if name != "posterior_greedy":
            one = compare(pooled(sums), against)
            difference = f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
        lines.append(f"| {' | '.join([name, *(interval(part) for part in sums), interval(pooled(sums)), difference])} |")
    return "\n".join(lines)


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--agents", nargs="+", default=list(AGENTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/rating_matrices"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print(table(runs(options.overrides, options.agents, options.seeds, options.splits, options.out)))


if __name__ == "__main__":
    main()
