"""Whether explanations are faithful: what falls when their most important parts are left out, against as many parts at random.

    OMP_NUM_THREADS=1 python benchmarks/explanations.py tfidf
    OMP_NUM_THREADS=1 python benchmarks/explanations.py sentence_transformers

Prints rows of the tables of docs/results/explanations.md: a small run in topic_world with one encoder, and questions of people with
a history and a profile. `--questions` is their number.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

import recframe
from recframe.explanations import explain
from recframe.explanations.faithfulness import deletions
from recframe.serving.question import Question

RUN = [
    "logger=[csv]",
    "evaluation.references=false",
    "evaluation.num_users=16",
    "dataset.num_items=200",
    "dataset.num_users=100",
    "environment.num_users=32",
    "trainer.env_steps=6400",
    "agent.learning_starts=320",
]
HEAD = (
    "| encoder | left out | method | k | questions | attributed | at random | attributed - random |\n|---|---|---|---:|---:|---:|---:|---:|"
)


def questions_of(policy: recframe.LoadedPolicy, count: int, seed: int) -> list[Question]:
    """Histories of 8 random items, half of them clicked, and the profile of a user, as words that are not in the data."""
    generator = np.random.default_rng(seed)
    ids, users = policy.data.catalog.ids, policy.data.users
    assert users is not None
    assert users.profiles is not None
    found = []
    for _ in range(count):
        items = [ids[number] for number in generator.choice(len(ids), 8, replace=False)]
        history = [(item, {"click": float(clicked)}) for item, clicked in zip(items, generator.integers(2, size=8), strict=True)]
        found.append(Question(history, profile=users.profiles.texts[generator.integers(len(users))]))
    return found


def main() -> None:
    """Train, ask, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", help="a config of encoder=")
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--k", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = recframe.run([*RUN, f"encoder={given.encoder}"], folder=Path(folder) / "run")
        policy = recframe.load_policy(run)
        asked = questions_of(policy, given.questions, seed=1)
        told = explain(policy, asked[0]).words
        print(HEAD)
        started = time.process_time()
        for of, result in deletions(policy, asked, ("history", "profile", "item"), given.k).items():
            method = next((words.method for words in told if words.of == of), "leave_one_out").replace("_", " ")
            low, high = result.difference.low, result.difference.high
            values = f"{result.attributed.mean():.3f} | {result.random.mean():.3f} | {result.difference.mean:.3f} [{low:.3f}, {high:.3f}]"
            print(f"| {given.encoder} | {of} | {method} | {given.k} | {len(asked)} | {values} |")
        print(f"\n{time.process_time() - started:.0f} s CPU after training")


if __name__ == "__main__":
    main()
