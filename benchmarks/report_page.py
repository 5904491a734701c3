"""Time and memory of report.html from many runs, with made-up runs: 4 agents x 5 encoders x 5 discounts x S seeds.

    python benchmarks/report_page.py --seeds 5 --folder runs_of_report      # 500 runs: makes them, then measures in a new process

Each run has what a run writes that the page reads: config, choices, overrides, result, each person's sums of four policies, 16 evaluations
in training, and a few recommendations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

from recframe.tracking import write_people, write_result

AGENTS, ENCODERS, DISCOUNTS = ("dqn", "ppo", "slate_q", "linucb"), ("tfidf", "id", "minilm", "gpt", "http"), (0.0, 0.5, 0.9, 0.97, 0.99)
GROUPS = {"agent": AGENTS, "encoder": ENCODERS}
METRICS = ("return", "length", "click_rate", "reward/click", "reward/diversity")
MEASURE = """
import resource, sys, time
started = time.perf_counter()
from recframe.reports import write_page
path = write_page(sys.argv[1])
seconds = time.perf_counter() - started
print(f"{seconds:.1f} s, {time.process_time():.1f} CPU s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, "
      f"page {path.stat().st_size / 2**20:.2f} MiB")
"""


def statistic(mean: float, spread: float, people: int) -> dict[str, float]:
    """An entry of result.json."""
    return {"mean": mean, "low": mean - spread, "high": mean + spread, "n": people}


def make_run(folder: Path, chosen: dict[str, object], seed: int, people: int, evaluations: int) -> None:
    """Write the folder of one made-up run."""
    folder.mkdir(parents=True)
    random = np.random.default_rng([seed, *map(len, map(str, chosen.values())), list(AGENTS).index(str(chosen["agent"]))])
    level = (
        4.0 + 2.0 * AGENTS.index(str(chosen["agent"])) + ENCODERS.index(str(chosen["encoder"])) * 0.7 + 3.0 * float(str(chosen["gamma"]))
    )
    level += random.normal(0, 0.8)
    collapsed = random.random() < 0.1
    policies = {"trained": level, "random": 3.0, "popular": 5.0, "oracle": 16.0}
    sums, tables = {}, {}
    for policy, mean in policies.items():
        values = random.gamma(4.0, mean / 4.0, people)
        lengths, clicks = random.integers(5, 30, people), values / 2
        columns = {
            "return": values,
            "length": lengths,
            "click_rate": clicks,
            "reward/click": values * 0.7,
            "reward/diversity": values * 0.3,
        }
        ones = np.ones(people)
        denominators = np.stack([ones, ones, lengths.astype(float), ones, ones], axis=1)
        tables[policy] = (METRICS, np.stack([columns[name] for name in METRICS], axis=1), denominators)
        sums[policy] = {
            name: statistic(float(columns[name].sum() / denominators[:, place].sum()), mean / 20, people)
            for place, name in enumerate(METRICS)
        }
        wide = {"trained": 0.02 if collapsed else float(random.uniform(0.2, 0.4)), "random": 0.99, "popular": 0.02, "oracle": 0.4}[policy]
        sums[policy] |= {
            "coverage": statistic(wide, 0.01, people),
            "diversity": statistic(0.3 + wide / 2, 0.01, people),
            "gini": statistic(1 - wide, 0.01, people),
        }
    write_people(folder, np.arange(people), {"policies": tables})
    overrides = [f"agent={chosen['agent']}", f"encoder={chosen['encoder']}", f"agent.gamma={chosen['gamma']}", f"seed={seed}"]
    (folder / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    (folder / "choices.yaml").write_text(yaml.safe_dump({name: chosen[name] for name in GROUPS}))
    config = {
        "seed": seed,
        "agent": {"name": chosen["agent"], "gamma": chosen["gamma"], **{f"setting_{place}": place for place in range(60)}},
        "encoder": {"name": chosen["encoder"]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = ["env_steps,train/env_steps_per_second,eval/return,eval/coverage,eval/reward/click,eval/reward/diversity"]
    for step in range(1, evaluations + 1):
        value = level * (1 - 0.8 ** (step / 2)) + random.normal(0, 0.3)
        lines.append(f"{step * 1024},{random.uniform(2e4, 4e4)},,,,")
        lines.append(f"{step * 1024},,{value},{max(0.02, 0.9 - 0.05 * step)},{value * 0.7},{value * 0.3}")
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "report.md").write_text(
        "# Results\n\n## What the trained policy recommends\n\n"
        "- user ada, turn 1, after nothing yet: **A Film; Another | one** (reward 0.5)\n"
        "- user ada, turn 2, after A Film: **Third <b>film</b>** (reward 1)\n"
    )
    (folder / "data.json").write_text(json.dumps({"items": {"sha256": "6d458d52a3062a0b", "rows": 1000}}))
    write_result(folder, objective=level, seed=seed, env_steps=evaluations * 1024, seconds=float(random.uniform(8, 20)), policies=sums,
                 evaluation={"split": "held_out", "people": people, "sessions": people}, threads=1)  # fmt: skip


def make_sweep(folder: Path, seeds: int, people: int = 400, evaluations: int = 16, most: int | None = None) -> int:
    """Write a made-up sweep, and return the number of its runs."""
    grid = list(itertools.product(AGENTS, ENCODERS, DISCOUNTS, range(seeds)))[:most]
    for place, (agent, encoder, gamma, seed) in enumerate(grid):
        make_run(folder / str(place), {"agent": agent, "encoder": encoder, "gamma": gamma}, seed, people, evaluations)
    return len(grid)


def main() -> None:
    """Make the runs and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--evaluations", type=int, default=16)
    parser.add_argument("--most", type=int, help="the largest number of runs")
    parser.add_argument("--folder", type=Path, help="where to make the runs, and to leave them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary) / "runs"
        count = make_sweep(folder, arguments.seeds, arguments.people, arguments.evaluations, arguments.most)
        done = subprocess.run([sys.executable, "-c", MEASURE, str(folder)], check=True, capture_output=True, text=True)
        print(f"{count} runs of {arguments.people} people: {done.stdout.strip()}")


if __name__ == "__main__":
    main()
