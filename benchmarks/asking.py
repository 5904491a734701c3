"""Whether agents learn to ask where asking pays, and not to ask where it does not.

    python benchmarks/asking.py FOLDER                            # all worlds and agents, seeds 0 to 4
    python benchmarks/asking.py FOLDER --seeds 0 --steps 2000     # that it runs

A small `topic_world` with sessions of ten turns, in which one may ask what people would like now (the free question). Its worlds are

    moods      people are in the mood for one of eight topics, all equally likely, throughout a session; nobody can know which
    dear       the same, but a question costs three clicks in place of a quarter of one
    tastes     no moods: people like what their profiles say, and everybody may read these
    yes_no     moods, but one may only ask about one topic after the other, and is answered with yes or no

In the first, a person who is asked is shown the right topic nine times; without asking, a topic has to be found by trying. In the second
the question costs more than that, in the third the answer is known already, and in the fourth an item tells as much as a question, and may
be clicked. Beside each agent is the same one in the world without questions. Runs that are finished are not made again. It prints a table
in Markdown: means over seeds of held-out people, with 95 % t-intervals over the seeds, and the difference to the agent without questions,
seed by seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import recframe
from recframe.evaluation.statistics import student_quantile

WORLDS = {
    "moods": ["environment.mood_weight=5", "environment.taste_weight=1", "reward.question_cost.weight=0.25"],
    "dear": ["environment.mood_weight=5", "environment.taste_weight=1", "reward.question_cost.weight=3"],
    "tastes": ["environment.mood_weight=0", "environment.taste_weight=5", "reward.question_cost.weight=0.25"],
    "yes_no": ["environment.mood_weight=5", "environment.taste_weight=1", "reward.question_cost.weight=0.25"],
}
AGENTS = {
    "dqn": ["agent=dqn", "agent.epsilon_decay_steps=30000", "agent.gamma=0.9"],
    "ppo": ["agent=ppo", "agent.gamma=0.9"],
}
SHARED = [
    "dataset.num_items=60",
    "dataset.num_users=500",
    "dataset.num_topics=8",
    "dataset.utterances=2",
    "environment.max_steps=10",
    "environment.leave_rate=0",
    "environment.boredom_weight=1",
    "environment.repeat_penalty=1",
    "environment.mood_change=0",
    "environment.mood_by_time=0",
    "state_tracker.history_length=10",
    "evaluation.references=false",
    "evaluation.num_users=400",
    "evaluation.sample_users=1",
    "trainer.threads=1",
    "logger=[csv]",
]
QUESTIONS = {"yes_no": "attributes"}


def settings(world: str, agent: str, asks: bool, seed: int, steps: int, others: Sequence[str] = ()) -> list[str]:
    """The overrides of one run, of which `others` come last."""
    own = [line for line in WORLDS[world] if asks or not line.startswith("reward.")]
    asking = [f"environment.questions=[{QUESTIONS.get(world, 'free')}]", "reward=[click,question_cost]"] if asks else []
    length = [f"trainer.env_steps={steps}", f"trainer.evaluate_every={max(steps // 8, 1)}"]
    return [*SHARED, *asking, *own, *AGENTS[agent], *length, f"seed={seed}", *others]


def measured(folder: Path) -> tuple[float, float, float]:
    """Return, share of turns with a question, and click rate of the trained policy of a run."""
    policy = json.loads((folder / "result.json").read_text(encoding="utf-8"))["policies"]["trained"]
    return tuple(policy[name]["mean"] if name in policy else float("nan") for name in ("return", "asked", "click_rate"))  # type: ignore[return-value]


def interval(values: Sequence[float], digits: int = 2) -> str:
    """The mean of the seeds, and its 95 % t-interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.{digits}f}"
    reach = float(student_quantile(len(values) - 1, 0.95)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.{digits}f} ± {reach:.{digits}f}"


def main() -> None:
    """Make the runs that are missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--agents", nargs="+", default=list(AGENTS), choices=list(AGENTS))
    parser.add_argument("--override", action="append", default=[], help="a further setting of all runs")
    given = parser.parse_args()
    print("| world | agent | return | without questions | difference | asked | click rate |", "|---|---|---|---|---|---|---|", sep="\n")
    for world in given.worlds:
        for agent in given.agents:
            found = {}
            for asks in (True, False):
                # a question's price is nothing to those who cannot ask
                name = "tastes" if world == "tastes" else "moods"
                names = [f"{world}_{agent}_{seed}" if asks else f"{name}_{agent}_{seed}_silent" for seed in given.seeds]
                folders = [given.folder / name for name in names]
                for seed, folder in zip(given.seeds, folders, strict=True):
                    recframe.run(settings(world, agent, asks, seed, given.steps, given.override), folder=folder, quiet=True)
                found[asks] = np.array([measured(folder) for folder in folders])
            own, silent = found[True], found[False]
            cells = [
                interval(own[:, 0]),
                interval(silent[:, 0]),
                interval(own[:, 0] - silent[:, 0]),
                interval(own[:, 1]),
                interval(own[:, 2]),
            ]
            print(f"| {world} | {agent} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
