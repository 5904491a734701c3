"""Threads and runs side by side: steps of a simulator and the training of an agent, in one process, two, and one a core.

    python benchmarks/threads.py
    python benchmarks/threads.py --repeats 1 --seconds 0.05 --env-steps 512 --threads 1 auto      # to see that it works

Each cell starts its processes, lets them wait for each other, and measures in all of them at the same time. The cells of a repeat are
measured in turns, so that changes in the machine's speed meet all of them, and the median over the repeats is reported, with the
lowest and the highest. `torch` is what PyTorch chooses by itself, a thread a core, which is what every run had before
`trainer.threads`; `auto` is what `trainer.threads=auto` chooses for as many runs side by side.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, NamedTuple

from recframe.cores import available_cores

WORLD = ["environment=interest_evolution", "environment.num_users=8192", "dataset.num_items=1000", "encoder=tfidf", "agent=random"]
TRAINING = ["encoder=tfidf", "logger=[]"]


class Measured(NamedTuple):
    """User-steps of the simulator a second in one process, in millions, and the seconds of a training."""

    steps: float
    seconds: float


def measure(threads: str, processes: int, seconds: float, env_steps: int, wait: Any) -> Measured:
    """Both measurements in this process; `wait` returns once all processes side by side have called it."""
    import torch
    from omegaconf import OmegaConf

    from recframe.building.parts import assemble
    from recframe.building.seeds import derived_seed
    from recframe.config import compose_config, validate
    from recframe.experience import Collector, SimulatedStream
    from recframe.runner.threads import set_threads, threads_of
    from recframe.tracking import MachineRecord
    from recframe.training import Interruption, fit

    def use_threads(cfg: Any, items: int) -> None:
        if threads == "torch":
            torch.set_num_threads(available_cores())
        elif threads == "auto":
            with tempfile.TemporaryDirectory() as folder:
                set_threads(threads_of(cfg, MachineRecord(Path(folder)), processes).training(cfg, items))
        else:
            set_threads(int(threads))

    cfg = validate(compose_config(WORLD))
    parts = assemble(cfg)
    use_threads(cfg, len(parts.data.catalog))
    environment = parts.environment(cfg.environment.num_users, "train")
    environment.reset(0)
    slates = torch.randint(environment.spec.num_items, (50, *environment.spec.action_shape))
    environment.step(slates[0])
    wait()
    steps, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        environment.step(slates[steps % len(slates)])
        steps += 1
    speed = steps * environment.spec.num_users / passed / 1e6

    cfg = validate(
        compose_config([*TRAINING, f"trainer.env_steps={env_steps}", f"trainer.evaluate_every={env_steps}", "agent.learning_starts=256"])
    )
    parts = assemble(cfg)
    use_threads(cfg, len(parts.data.catalog))
    environment = parts.environment(cfg.environment.num_users, "train")
    agent = parts.agent(environment)
    settings: Any = OmegaConf.to_object(cfg.trainer)
    collector = Collector(environment, parts.rewards, derived_seed(cfg.seed, "environment"))
    stream = SimulatedStream.of(agent, collector, settings.chunk_steps, derived_seed(cfg.seed, "replay"))
    with tempfile.TemporaryDirectory() as folder:
        wait()
        started = time.perf_counter()
        fit(agent, stream, settings, folder=Path(folder), evaluate=lambda: {"return": 0.0}, interruption=Interruption(Path(folder)))
        return Measured(speed, time.perf_counter() - started)


def side_by_side(threads: str, processes: int, seconds: float, env_steps: int) -> list[Measured]:
    """The measurements of `processes` processes at the same time."""
    variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with Listener(None, authkey=b"threads") as listener:
        command = [sys.executable, __file__, "--process", str(listener.address), threads, str(processes), str(seconds), str(env_steps)]
        started = [subprocess.Popen(command, env=variables) for _ in range(processes)]
        connections: list[Connection] = [listener.accept() for _ in started]
        for _ in range(2):
            for connection in connections:
                connection.recv()
            for connection in connections:
                connection.send("go")
        measured = [connection.recv() for connection in connections]
        for process in started:
            process.wait()
    return measured


def one_process(address: str, threads: str, processes: str, seconds: str, env_steps: str) -> None:
    """The part of `side_by_side` that is run in each process."""
    with Client(address, authkey=b"threads") as connection:

        def wait() -> None:
            connection.send("ready")
            connection.recv()

        connection.send(tuple(measure(threads, int(processes), float(seconds), int(env_steps), wait)))


def table(cells: dict[tuple[str, int], list[Measured]]) -> str:
    """The median, lowest and highest of each cell, in Markdown."""
    rows = ["| threads | runs side by side | million user-steps/s, each | training, s |", "|---|---|---|---|"]
    for (threads, processes), measured in cells.items():
        columns = [sorted(values) for values in zip(*measured, strict=True)]
        texts = [f"{statistics.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})" for values in columns]
        rows.append(f"| {threads} | {processes} | {' | '.join(texts)} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of stepping the simulator in each cell")
    parser.add_argument("--env-steps", type=int, default=16_384, help="of the training in each cell")
    parser.add_argument("--threads", nargs="+", default=["torch", "1", "2", "auto"])
    parser.add_argument("--processes", type=int, nargs="+", default=None, help="[default: 1, 2, and the number of cores]")
    options = parser.parse_args(arguments)
    processes = options.processes or sorted({1, 2, available_cores()})
    cells: dict[tuple[str, int], list[Measured]] = defaultdict(list)
    for _ in range(options.repeats):
        for threads in options.threads:
            for count in processes:
                cells[threads, count] += side_by_side(threads, count, options.seconds, options.env_steps)
    print(f"{available_cores()} cores, load {os.getloadavg()[0]:.1f}, {options.repeats} repeats\n\n{table(cells)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        one_process(*sys.argv[2:])
    else:
        main()
