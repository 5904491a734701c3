"""Agents against `posterior_greedy` where people's ratings of all items are known, over seeds and splits of the people.

    python benchmarks/rating_matrices.py dataset=synthetic_ratings environment.click_threshold=4
    python benchmarks/rating_matrices.py dataset=rating_matrix dataset.path=OUT.npy environment.click_threshold=8

The overrides are added to those of `WORLD`: ten turns without repetition, and the state tracker `posterior`. Printed is a table of clicks
in ten turns for each split, with intervals over seeds and held-out people, and paired differences from `posterior_greedy` over all splits:
a person is one unit, also where several splits hold this person out, and all seeds share it. The reference policies have no seed. With
`evaluation.num_users` equal to the number of held-out people, each is met once: such a world has no chance in it. `--agents` names agents,
with settings of their own after commas, as in `dqn,agent.gamma=0`. Runs are kept in `--out`, and a second call goes on with them.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import recframe
from recframe.evaluation.comparisons import compare
from recframe.evaluation.people import People
from recframe.evaluation.seed_intervals import CrossedBootstrap
from recframe.evaluation.statistics import sums_by_person
from recframe.tracking.people_file import RecordedPeople, read_people

WORLD = ("encoder=id", "environment=rating_matrix", "environment.max_steps=10", "state_tracker=posterior", "logger=[csv]")
AGENTS = ("dqn", "ppo")
REFERENCES = ("random", "fixed_slate", "posterior_greedy", "oracle")
BEST = "posterior_greedy"
Sums = NDArray[np.float32]


class Found(NamedTuple):
    """Sums `[splits, seeds, P, 2]` of each policy: of agents, which may have the name of a reference, and of references, with one seed.

    people: `[splits, P]` int64, who is held out under each split: equal for the same person.
    """

    agents: dict[str, Sums]
    references: dict[str, Sums]
    people: NDArray[np.int64]


def people_of(folder: Path) -> RecordedPeople:
    """The held-out people of a run."""
    people = read_people(folder)
    assert people is not None
    return people


def runs(overrides: list[str], agents: list[str], seeds: int, splits: int, out: Path) -> Found:
    """Train all agents; what is in `out` already is used."""
    trained: dict[str, list[list[Sums]]] = {agent: [[] for _ in range(splits)] for agent in agents}
    references: dict[str, list[list[Sums]]] = {name: [] for name in REFERENCES}
    people = []
    for split in range(splits):
        for place, agent in enumerate(agents):
            for seed in range(seeds):
                own = [f"agent={agent.split(',')[0]}", *agent.split(",")[1:], f"seed={seed}", f"dataset.split_seed={split}"]
                config = [*WORLD, *own, *overrides]
                folder = out / f"{agent.replace('/', '_')} split {split} seed {seed}"
                result = recframe.run(config, folder=folder)
                recorded = people_of(folder)
                policies = {policy: metrics["return"] for policy, metrics in recorded.tables["policies"].items()}
                trained[agent][split].append(policies["trained"])
                if place == seed == 0:
                    people.append(recorded.ids)
                    for name in REFERENCES:
                        references[name].append([policies[name]])
                mean, chosen = result.policies["trained"]["return"]["mean"], result.selection.get("env_steps", 0)
                logging.info("split %d seed %d %s: %.3f, weights after %d steps", split, seed, agent, mean, chosen)
    found, other = ({name: np.array(sums) for name, sums in policies.items()} for policies in (trained, references))
    return Found(found, other, np.stack(people))


def pooled(sums: Sums, people: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sums `[seeds, persons, 2]` over splits of `[splits, seeds, P, 2]`: those of a person whom several splits hold out are added."""
    met = People.of_sessions(people.ravel())
    return np.stack([sums_by_person(of_seed, met.of_session) for of_seed in np.concatenate(list(sums), axis=1)])


def interval(sums: NDArray[np.floating[Any]]) -> str:
    """The mean of `[S, P, 2]` and its interval."""
    (one,) = CrossedBootstrap(sums[..., :1].astype(float), sums[..., 1:].astype(float)).intervals()
    return f"{one.mean:.2f} [{one.low:.2f}, {one.high:.2f}]"


def table(found: Found) -> str:
    """The results as a table in Markdown."""
    against = pooled(found.references[BEST], found.people)
    header = ["policy", *(f"split {split}" for split in range(len(found.people))), "all", f"less {BEST}"]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]

    def row(name: str, sums: Sums, compared: bool = True) -> None:
        over_all, difference = pooled(sums, found.people), ""
        if compared:
            one = compare(over_all, against)
            difference = f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
        lines.append(f"| {' | '.join([name, *(interval(part) for part in sums), interval(over_all), difference])} |")

    for name, sums in found.agents.items():
        row(f"agent={name}", sums)
    for name, sums in found.references.items():
        row(name, sums, compared=name != BEST)
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
