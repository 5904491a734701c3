"""One measurement of `large_catalogues.py`, which runs each in a separate process: one agent of one library on one catalogue.

    python benchmarks/large_catalogue_cells.py recframe dqn 10000

prints a `Found` as JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import FrameType
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from simulators import catalogue
from torch import nn
from training_overhead import framework_fit

from recframe.building.device import choose_device
from recframe.building.parts import Parts
from recframe.config import compose_config, validate
from recframe.experience import RewardSum
from recframe.interfaces import Agent, Replay
from recframe_plugins.rewards.click import Click
from recframe_plugins.rewards.config import ClickConfig

SIDES = ("recframe", "stable-baselines3")
WARM_UP = 2
"""Iterations before the timed ones."""

FEWEST = 3
"""The smallest number of timed iterations."""

UNENDING = 10**12


class Enough(Exception):
    """Enough iterations were timed."""


class OutOfTime(Exception):
    """The time limit was reached."""


class Clock:
    """The start times of the iterations, each a chunk of steps and the updates that follow."""

    def __init__(self, seconds: float, device: torch.device) -> None:
        self.seconds = seconds
        self.device = device
        self.ticks: list[float] = []
        self.cpu_ticks: list[float] = []

    def tick(self) -> None:
        """Record the start of an iteration.

        Raises
        ------
        Enough: the timed iterations fill the requested time.
        """
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.ticks.append(time.perf_counter())
        self.cpu_ticks.append(time.process_time())
        if self.iterations >= FEWEST and self.timed >= self.seconds:
            raise Enough

    @property
    def iterations(self) -> int:
        """The number of timed iterations."""
        return max(len(self.ticks) - WARM_UP - 1, 0)

    @property
    def timed(self) -> float:
        """Their total time in seconds."""
        return self.ticks[-1] - self.ticks[WARM_UP] if self.iterations else 0.0

    @property
    def cpu(self) -> float:
        """Their total CPU time in seconds, over all threads."""
        return self.cpu_ticks[-1] - self.cpu_ticks[WARM_UP] if self.iterations else 0.0


class Learner(NamedTuple):
    """parameters: the number of trained parameters.    updates: batches in an iteration.    train: trains until the clock stops it."""

    parameters: int
    updates: int
    train: Callable[[Clock], None]


@dataclass
class Found:
    """The result of a measurement.

    iteration, cpu: mean seconds and mean CPU seconds of the timed iterations, the latter over all threads.
    longer_than: a lower bound in seconds of an iteration, if none was timed completely.
    resident, device: peak memory in MiB of the process and on the GPU.    failure: why there are no times.
    """

    iterations: int = 0
    iteration: float | None = None
    cpu: float | None = None
    longer_than: float | None = None
    env_steps: int = 0
    updates: int = 0
    parameters: int = 0
    resident: float = 0.0
    device: float = 0.0
    failure: str | None = None


def world(agent: str, items: int, users: int, device: str, overrides: Sequence[str] = ()) -> Parts:
    """A topic world without candidates, with random text vectors of 64 dimensions and default settings."""
    chosen = [f"agent={agent}", "environment=topic_world", "environment.slate_size=1", f"environment.num_users={users}", f"device={device}"]
    tracker = ["state_tracker=mean", "state_tracker.item_dim=64", "state_tracker.state_dim=64"]
    length = [f"trainer.env_steps={UNENDING}", f"trainer.evaluate_every={UNENDING}", "trainer.progress_bar=false"]
    cfg = validate(compose_config([*chosen, *tracker, *length, *overrides]))
    place = choose_device(device)
    data = catalogue(items)._replace(interactions=None, ratings=None).to(place)
    rewards = RewardSum({"click": (Click(ClickConfig()), 1.0)}, data.catalog, frozenset({"click"}))
    return Parts(cfg, place, data, data, rewards)


class _Ticking(pl.Callback):
    """Calls the clock before each chunk."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_start(self, *_: object) -> None:
        """Record the start of a chunk."""
        self.clock.tick()


def recframe_learner(parts: Parts) -> Learner:
    """recframe's fit, as in `recframe train`; it never reaches an evaluation."""
    agent, train = framework_fit(parts, parts.cfg)
    return Learner(_trained(agent), updates_per_chunk(agent), lambda clock: train(_Ticking(clock)))


def updates_per_chunk(agent: Agent) -> int:
    """The number of batches after a chunk."""
    plan = agent.experience
    if isinstance(plan, Replay):
        return plan.updates_per_chunk
    return getattr(agent.config, "epochs", 1) * getattr(agent.config, "minibatches", 1)


def stable_baselines_learner(parts: Parts) -> Learner:
    """stable-baselines3's counterpart."""
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines_side import counterpart

    model = counterpart(parts)

    class Ticking(BaseCallback):
        def __init__(self, clock: Clock) -> None:
            super().__init__()
            self.clock = clock

        def _on_rollout_start(self) -> None:
            self.clock.tick()

        def _on_step(self) -> bool:
            return True

    def train(clock: Clock) -> None:
        model.learn(UNENDING, callback=Ticking(clock), log_interval=None)

    # target networks are not trained
    parameters = sum(_trained(network) for name, network in model.policy.named_children() if "target" not in name)
    return Learner(parameters, parts.cfg.agent.get("updates_per_chunk", 1), train)


def _trained(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def out_of_time(_: int, __: FrameType | None) -> None:
    """Handle the alarm."""
    raise OutOfTime


def measure(side: str, parts: Parts, seconds: float) -> Found:
    """Build a learner and time its iterations until they fill `seconds` or `OutOfTime` is raised, which may also happen while building."""
    found, clock = Found(), Clock(seconds, parts.device)
    try:
        learner = (recframe_learner if side == "recframe" else stable_baselines_learner)(parts)
        found.parameters, found.updates = learner.parameters, learner.updates
        learner.train(clock)
    except Enough:
        pass
    except OutOfTime:
        if not clock.ticks:
            found.failure = "not built in time"
        elif not clock.iterations:
            # the last iteration is not finished, so this is a lower bound of their mean
            found.longer_than = (time.perf_counter() - clock.ticks[0]) / len(clock.ticks)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "memory" not in str(error):
            raise
        found.failure = "out of memory"
    if clock.iterations and found.failure is None:
        found.iterations, found.iteration = clock.iterations, clock.timed / clock.iterations
        found.cpu = clock.cpu / clock.iterations
    found.env_steps = parts.cfg.trainer.chunk_steps * parts.cfg.environment.num_users
    found.resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if parts.device.type == "cuda":
        found.device = torch.cuda.max_memory_allocated() / 2**20
    return found


def main() -> None:
    """Measure one cell and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("agent")
    parser.add_argument("items", type=int)
    parser.add_argument("--users", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--memory", type=float, help="memory limit of the process in GiB (not on a GPU)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("overrides", nargs="*", help="overrides of recframe's default config")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory and arguments.device == "cpu":
        most = int(arguments.memory * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    parts = world(arguments.agent, arguments.items, arguments.users, arguments.device, arguments.overrides)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, arguments.limit)
    found = measure(arguments.side, parts, arguments.seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
