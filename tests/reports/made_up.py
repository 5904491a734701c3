"""Made-up sweeps of runs with everything that a page reads, as the benchmark of the page makes them."""

import importlib.util
from pathlib import Path

FILE = Path(__file__).parents[2] / "benchmarks" / "report_page.py"
_spec = importlib.util.spec_from_file_location("report_page", FILE)
report_page = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(report_page)


def make_sweep(folder, agents=("dqn", "ppo"), encoders=("tfidf", "id"), seeds=3, people=40, evaluations=4, gamma=0.9):
    """A sweep of agents x encoders x seeds in the folders 0, 1, ..."""
    grid = [(agent, encoder, seed) for agent in agents for encoder in encoders for seed in range(seeds)]
    for place, (agent, encoder, seed) in enumerate(grid):
        report_page.make_run(folder / str(place), {"agent": agent, "encoder": encoder, "gamma": gamma}, seed, people, evaluations)
    return folder
