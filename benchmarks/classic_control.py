"""Classic control: recframe's agents beside stable-baselines3's, five seeds each, as a table and as learning curves.

    python benchmarks/classic_control.py reference --out FOLDER
    python benchmarks/classic_control.py speed --out FOLDER
    python benchmarks/classic_control.py report --runs MULTIRUN --reference FOLDER --figure curves.svg

`reference` trains stable-baselines3's agents with that library's defaults, `speed` times both sides' training in turn, `report` reads
recframe's runs below a folder (those of `recframe train -m experiment=cartpole seed=0,1,2,3,4` and the like) beside what the first two
have written. Both sides are measured by the weights that did best in the evaluations during training, played deterministically.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from classic_control_runs import AGENTS, by_agent, read_speeds, recframe_runs, reference_runs, table


def main() -> None:
    """Train or time the reference, or report both sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    reference = commands.add_parser("reference", help="train stable-baselines3's agents; runs that are there already are kept")
    reference.add_argument("--out", type=Path, required=True)
    reference.add_argument("--algorithms", nargs="+", default=[name for name in AGENTS.values() if name], choices=AGENTS.values())
    reference.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    speed = commands.add_parser("speed", help="time both sides' training, without evaluations, in turn")
    speed.add_argument("--out", type=Path, required=True)
    speed.add_argument("--agents", nargs="+", default=list(AGENTS), choices=AGENTS)
    speed.add_argument("--pairs", type=int, default=3)
    report = commands.add_parser("report", help="print the table and draw the learning curves")
    report.add_argument("--runs", type=Path, required=True, help="a folder with recframe's runs in or below it")
    report.add_argument("--reference", type=Path, required=True, help="what the other two commands wrote")
    report.add_argument("--figure", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "reference":
        from classic_control_reference import run_all

        run_all(arguments.out, arguments.algorithms, arguments.seeds)
    elif arguments.command == "speed":
        from classic_control_speed import time_agents

        time_agents(arguments.out, {agent: AGENTS[agent] for agent in arguments.agents}, arguments.pairs)
    else:
        from classic_control_figure import draw

        runs = recframe_runs(arguments.runs) + reference_runs(arguments.reference)
        print(table(runs, read_speeds(arguments.reference)))
        draw(by_agent(runs), arguments.figure)


if __name__ == "__main__":
    main()
