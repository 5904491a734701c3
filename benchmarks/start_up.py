"""Start-up time of the command line in seconds, and as a ratio to `python -c 'import hydra'`, without and with third-party plugins.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --python OTHER_VENV/bin/python

Below the table: the processor time of a run from the command to the first environment step of its training, with cached text vectors,
and as a ratio to `python -c 'import torch'`, which no run can do without.

Modules are compiled before they are measured, as an installer does it. Where the environment forbids Python to write compiled ones
(`PYTHONDONTWRITEBYTECODE`), which would compile all of recframe again in every process, they lie beside the results.

Every command runs in a new process, in an empty folder. The commands run in turns, and the table has the least processor time of each:
start-up is bound by the processor, and its time depends less on other processes than wall-clock time.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

BASELINE = ["-c", "import hydra"]
COMMANDS = (["--help"], ["train", "--help"], ["plugins"], ["train", "--cfg", "job"])
RUN = ["train", "encoder=tfidf", "logger=csv", "hydra.run.dir=run"]
FIRST_STEP = """
import os, shutil, sys
from importlib import util

class Ending:
    # before training, the components are tried on toy data: the first step after that is meant. Nothing is imported earlier than in a run
    def find_spec(self, name, path=None, target=None):
        if name != "recframe.training.fit":
            return None
        sys.meta_path.remove(self)
        spec = util.find_spec(name)
        execute = spec.loader.exec_module

        def executed(module):
            execute(module)
            fit = module.fit

            def ending(*arguments, **options):
                from recframe.experience.collector import Collector

                Collector.step = lambda *arguments, **options: os._exit(0)
                return fit(*arguments, **options)

            module.fit = ending

        spec.loader.exec_module = executed
        return spec

if {until_first_step}:
    sys.meta_path.insert(0, Ending())
shutil.rmtree("run", ignore_errors=True)
sys.argv = ["recframe", *{arguments}]
from recframe.cli.main import main
main()
"""
KINDS = ("agent", "encoder", "environment", "reward", "state_tracker")
PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class Config:
        '''Component number {number}.'''
        num_users: int = option(64, "users", ge=1)
        history_length: int = option(5, "interactions in a history", ge=1)
        hidden_size: int = option(64, "units of the hidden layer", ge=1)
        learning_rate: float = option(1e-3, "step size", gt=0)
        dropout: float = option(0.0, "share of the units that are zeroed", ge=0, lt=1)
        activation: str = option("relu", "activation function", choices=["relu", "tanh"])

    @hookimpl
    def recframe_register_components(register):
        register(Component("{kind}", "generated_{number}", Config, "generated_{number}:Generated"))
"""


def install_plugins(folder: Path, number_of_plugins: int) -> None:
    """Write plugin distributions, one component each, into a folder that looks like site-packages, compiled as pip does it."""
    for number in range(number_of_plugins):
        name = f"generated_{number}"
        (folder / f"{name}.py").write_text(textwrap.dedent(PLUGIN.format(number=number, kind=KINDS[number % len(KINDS)])))
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[recframe]\n{name} = {name}\n")
    compileall.compile_dir(folder, quiet=2)


def seconds(command: list[str], folder: Path, site: Path, **variables: str) -> float:
    """Processor time of a process that runs `command`."""
    left_out = ("RECFRAME_", "HYDRA_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        # what the first of several commands compiles
        environment["PYTHONPYCACHEPREFIX"] = str(folder.parent / f"{folder.name}-compiled")
    process = subprocess.Popen(command, cwd=folder, env={**environment, "PYTHONPATH": str(site), **variables}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def measure(python: str, repeats: int, number_of_plugins: int) -> dict[str, list[float]]:
    """The least time of each command in seconds: without plugins, and with them."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sites = [root / "without", root / "with"]
        for folder in (*sites, root / "work"):
            folder.mkdir()
        install_plugins(sites[1], number_of_plugins)
        commands = {"import hydra": [python, *BASELINE]}
        commands |= {f"recframe {' '.join(command)}": [str(Path(python).with_name("recframe")), *command] for command in COMMANDS}
        fastest = {label: [float("inf"), float("inf")] for label in commands}
        for _ in range(repeats):
            for label, command in commands.items():
                for column, site in enumerate(sites):
                    fastest[label][column] = min(fastest[label][column], seconds(command, root / "work", site))
    return fastest


def measure_first_step(python: str, repeats: int) -> tuple[float, float]:
    """The least time in seconds from the command to the first step of `RUN`'s training, after a small run has cached the vectors.

    Also that of importing torch alone. The two take turns.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        (folder / "site").mkdir(parents=True)

        def timed(arguments: list[str], until_first_step: bool) -> float:
            script = FIRST_STEP.format(arguments=arguments, until_first_step=until_first_step)
            return seconds([python, "-c", script], folder, folder / "site", RECFRAME_CACHE=str(folder / "cache"))

        timed([*RUN, "debug=smoke", "agent=random", "evaluation.references=false"], until_first_step=False)
        times = [
            (timed(RUN, until_first_step=True), seconds([python, "-c", "import torch"], folder, folder / "site")) for _ in range(repeats)
        ]
        return min(first for first, _ in times), min(torch for _, torch in times)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter of the installation to measure [default: this one]")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--plugins", type=int, default=50)
    arguments = parser.parse_args()
    fastest = measure(arguments.python, arguments.repeats, arguments.plugins)
    (plain, crowded) = fastest["import hydra"]
    print(f"| command | without plugins | ratio | with {arguments.plugins} plugins | ratio |\n|---|---:|---:|---:|---:|")
    for label, (without, with_plugins) in fastest.items():
        print(f"| `{label}` | {without:.2f} s | {without / plain:.1f} | {with_plugins:.2f} s | {with_plugins / crowded:.1f} |")
    first, torch = measure_first_step(arguments.python, arguments.repeats)
    ratio = f"{first / torch:.1f} times `import torch` alone"
    print(f"\nTo the first environment step of `recframe {' '.join(RUN)}`: {first:.2f} s, {ratio}")


if __name__ == "__main__":
    main()
