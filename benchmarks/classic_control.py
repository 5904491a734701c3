"""Classic control: recframe's agents compared with stable-baselines3's over five seeds, as a table and as learning curves.

    python benchmarks/classic_control.py reference --out FOLDER
    python benchmarks/classic_control.py speed --out FOLDER
    python benchmarks/classic_control.py report --runs MULTIRUN --reference FOLDER --figure curves.svg

`reference` trains stable-baselines3's agents with that library's defaults, `speed` times the training of both libraries in turns, and
`report` reads recframe's runs in a folder (such as those of `recframe train -m experiment=cartpole seed=0,1,2,3,4`) and the files that
the first two wrote. Both libraries are measured with the weights that were best in the evaluations during training, played
deterministically. `reference --small` and `speed --small` take a few seconds, to see that they run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from classic_control_runs import AGENTS, by_agent, read_speeds, recframe_runs, reference_runs, table


def main() -> None:
    """Train or time the reference, or report both libraries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    reference = commands.add_parser("reference", help="train stable-baselines3's agents; existing runs are kept")
    reference.add_argument("--out", type=Path, required=True)
    reference.add_argument("--algorithms", nargs="+", default=[name for name in AGENTS.values() if name], choices=AGENTS.values())
    reference.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    reference.add_argument("--small", action="store_true", help="a few steps and episodes")
    speed = commands.add_parser("speed", help="time the training of both libraries in turns, without evaluations")
    speed.add_argument("--out", type=Path, required=True)
    speed.add_argument("--agents", nargs="+", default=list(AGENTS), choices=AGENTS)
    speed.add_argument("--pairs", type=int, default=3)
    speed.add_argument("--small", action="store_true", help="a few steps")
    report = commands.add_parser("report", help="print the table and draw the learning curves")
    report.add_argument("--runs", type=Path, required=True, help="a folder that contains recframe's runs")
    report.add_argument("--reference", type=Path, required=True, help="the folder of the other two commands")
    report.add_argument("--figure", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "reference":
        from classic_control_reference import FULL, SMALL, run_all

        run_all(arguments.out, arguments.algorithms, arguments.seeds, SMALL if arguments.small else FULL)
    elif arguments.command == "speed":
        from classic_control_speed import SHARE, SMALL_SHARE, time_agents

        chosen = {agent: AGENTS[agent] for agent in arguments.agents}
        time_agents(arguments.out, chosen, arguments.pairs, SMALL_SHARE if arguments.small else SHARE)
    else:
        from classic_control_figure import draw

        runs = recframe_runs(arguments.runs) + reference_runs(arguments.reference)
        print(table(runs, read_speeds(arguments.reference)))
        draw(by_agent(runs), arguments.figure)


if __name__ == "__main__":
    main()
