"""Speed and memory of the simulators, compared with RecSim and SARDINE, and with recframe's bridge to stable-baselines3.

    python benchmarks/simulators.py                  # user-steps per second
    python benchmarks/simulators.py --memory         # memory against users and catalogue
    python benchmarks/simulators.py --device cuda    # on a GPU
    python benchmarks/simulators.py --small          # a few seconds, to see that it runs

Speeds are the best of several periods of random slates, drawn beforehand if everything may be shown; if there are candidates, a slate is
the first K of them, which are in random order. The environments of RecSim and SARDINE run one user at a time, after ours.
They need: pip install --no-deps recsim==0.2.4 sardine-rec==1.0.8 gin-config; pip install stable-baselines3. Without RecSim or SARDINE
their rows are left out, with a message.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import polars as pl
import torch
from recsim_reference import SARDINE_ENVIRONMENTS, NotInstalled, recsim_steps_per_second, sardine_environment, sardine_steps_per_second

from recframe.gym import make_vec
from recframe.gym.stable_baselines import StableBaselinesVecEnv
from recframe.interfaces import Catalog, Data, Environment, Interactions, Texts, Users
from recframe_plugins.environments.gymnasium.config import GymnasiumConfig
from recframe_plugins.environments.gymnasium.environment import GymnasiumEnvironment
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.preference_model.preference_model import PreferenceModel
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.rating_matrix import RatingMatrixEnvironment
from recframe_plugins.environments.recsim.config import InterestEvolutionConfig, InterestExplorationConfig, LongTermSatisfactionConfig
from recframe_plugins.environments.recsim.interest_evolution import InterestEvolution
from recframe_plugins.environments.recsim.interest_exploration import InterestExploration
from recframe_plugins.environments.recsim.long_term_satisfaction import LongTermSatisfaction
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

SIMULATORS = {
    "interest_evolution": (InterestEvolution, InterestEvolutionConfig),
    "interest_exploration": (InterestExploration, InterestExplorationConfig),
    "long_term_satisfaction": (LongTermSatisfaction, LongTermSatisfactionConfig),
    "topic_world": (TopicWorld, TopicWorldConfig),
    "preference_model": (PreferenceModel, PreferenceModelConfig),
    "rating_matrix": (RatingMatrixEnvironment, RatingMatrixEnvironmentConfig),
}
RECSIM = ("interest_evolution", "interest_exploration", "long_term_satisfaction")
USERS = (1, 64, 1_024, 8_192)
ITEMS = 10_000
MEMORY_SIMULATORS = ("interest_evolution", "topic_world", "preference_model")
MEMORY_SIZES = [(ITEMS, users) for users in USERS] + [(items, 1_024) for items in (1_000, 100_000, 1_000_000)]
"""Items and users whose memory is measured."""

SMALL_USERS, SMALL_ITEMS = (1, 8), 200
HISTORY = 20
PEOPLE = 1_000
TOPICS = 20


def catalogue(items: int, dims: int = 64) -> Data:
    """Items of 20 topics with random vectors, and users with topics, logged ratings and, up to 20,000 items, a full rating matrix."""
    generator = torch.Generator().manual_seed(0)
    topics = [f"topic {number:02}" for number in range(TOPICS)]
    of_items = pl.Series(topics).gather(torch.randint(TOPICS, (items,), generator=generator).numpy())
    of_people = pl.Series(topics).gather(torch.randint(TOPICS, (PEOPLE,), generator=generator).numpy())
    names = pl.Series(range(items)).cast(pl.String)
    logged = {
        "user": torch.randint(PEOPLE, (50_000,), generator=generator).numpy(),
        "item": torch.randint(items, (50_000,), generator=generator).numpy(),
        "timestamp": np.arange(50_000),
        "rating": 1.0 + torch.randint(5, (50_000,), generator=generator).numpy(),
    }
    return Data(
        Catalog(
            names.to_list(),
            names.to_list(),
            pl.DataFrame({"title": names, "topics": of_items}).with_columns(pl.concat_list("topics").alias("topics")),
            torch.ones(items),
            torch.randn(items, dims, generator=generator),
        ),
        users=Users(
            [str(number) for number in range(PEOPLE)],
            Texts([""] * PEOPLE, torch.randn(PEOPLE, dims, generator=generator)),
            pl.DataFrame({"topics": of_people}).with_columns(pl.concat_list("topics").alias("topics")),
        ),
        interactions=Interactions(pl.DataFrame(logged), ("rating",)),
        ratings=torch.rand(PEOPLE, items, generator=generator) if items <= 20_000 else None,
    )


def simulator(name: str, data: Data, users: int, slate_size: int, device: str) -> Environment:
    """N users, with default options except the slate size."""
    factory, config = SIMULATORS[name]
    options = {"protocol": "free"} if name == "rating_matrix" else {}
    environment: Environment = factory(
        config(slate_size=slate_size, **options), data, num_users=users, history_length=HISTORY, split="train", device=device
    )
    return environment


def steps_per_second(environment: Environment, seconds: float, periods: int = 3) -> float:
    """User-steps per second under random slates: the best of several periods."""
    spec = environment.spec
    generator = torch.Generator(spec.device).manual_seed(0)
    shape = (16, spec.num_users, spec.slate_size)
    prepared = None if spec.num_candidates else torch.randint(spec.num_items, shape, generator=generator, device=spec.device)
    observation = environment.reset(0)

    def advance(steps: int) -> float:
        nonlocal observation
        started = time.perf_counter()
        for turn in range(steps):
            slate = observation.candidates[:, : spec.slate_size] if prepared is None else prepared[turn % 16]
            observation = environment.step(slate).observation
        if spec.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    advance(3)
    steps = max(3, int(seconds / periods / (advance(5) / 5)))
    return max(spec.num_users * steps / advance(steps) for _ in range(periods))


def bridge_rows(seconds: float, numbers_of_users: Sequence[int]) -> Iterator[tuple[str, int, int, float]]:
    """The same environments through the bridge to stable-baselines3: rewards, observations as arrays, and infos for every user."""
    for name in ("interest_evolution", "topic_world"):
        for slate_size, users in product((1, 5), numbers_of_users):
            chosen = [f"environment.slate_size={slate_size}", "encoder=tfidf", "dataset.num_topics=20"]
            bridge = StableBaselinesVecEnv(make_vec(name, users, overrides=chosen, text_dims=16))
            bridge.reset()
            bridge.action_space.seed(0)
            actions = [np.stack([bridge.action_space.sample() for _ in range(users)]) for _ in range(4)]
            rate = timed(lambda turn, bridge=bridge, actions=actions: bridge.step(actions[turn % 4]), users, seconds)
            yield f"{name} through the bridge", users, slate_size, rate


def gymnasium_rows(seconds: float, numbers_of_users: Sequence[int]) -> Iterator[tuple[str, int, int, float]]:
    """Gymnasium's CartPole as recframe's environment: copies that run one after another."""
    config = GymnasiumConfig(id="CartPole-v1")
    data = GymnasiumEnvironment.own_data(config)
    for users in numbers_of_users[:3]:
        environment = GymnasiumEnvironment(config, data, num_users=users, history_length=1, split="train", device="cpu")
        yield "gymnasium (CartPole-v1)", users, 1, steps_per_second(environment, seconds)


def timed(step: Callable[[int], object], users: int, seconds: float, periods: int = 3) -> float:
    """User-steps per second of a step function: the best of several periods."""
    best = 0.0
    for _ in range(periods):
        started, turns = time.perf_counter(), 0
        while time.perf_counter() - started < seconds / periods:
            step(turns)
            turns += 1
        best = max(best, users * turns / (time.perf_counter() - started))
    return best


def speeds(device: str, seconds: float, numbers_of_users: Sequence[int], items: int) -> list[tuple[str, int, int, float]]:
    """(name, users, slate size, user-steps per second), one row for each measurement."""
    data = catalogue(items).to(device)
    rows = []
    for name in SIMULATORS:
        for slate_size in (1, 2, 5) if name == "interest_evolution" else (1, 5):
            for users in numbers_of_users:
                rows.append((name, users, slate_size, steps_per_second(simulator(name, data, users, slate_size, device), seconds)))
                print(*rows[-1], file=sys.stderr)
    rows += gymnasium_rows(seconds, numbers_of_users)
    rows += bridge_rows(seconds, numbers_of_users)
    for others in (recsim_rows, sardine_rows):
        try:
            rows += others(seconds)
        except NotInstalled as missing:
            print(f"left out: {missing}", file=sys.stderr)
    return rows


def recsim_rows(seconds: float) -> list[tuple[str, int, int, float]]:
    """RecSim's own environments."""
    return [
        (f"RecSim's own {name}", 1, slate_size, recsim_steps_per_second(name, slate_size, seconds))
        for name in RECSIM
        for slate_size in (1, 2, 5)
    ]


def sardine_rows(seconds: float) -> list[tuple[str, int, int, float]]:
    """SARDINE's environments."""
    return [
        (f"SARDINE's {name}", 1, sardine_environment(name).unwrapped.slate_size, sardine_steps_per_second(name, seconds))
        for name in SARDINE_ENVIRONMENTS
    ]


def memory(name: str, items: int, users: int) -> dict[str, float]:
    """MiB that building and stepping an environment adds to a new process."""

    def used() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    data = catalogue(items, dims=16)
    before = used()
    environment = simulator(name, data, users, 1, "cpu")
    observation = environment.reset(0)
    built = used()
    for _ in range(30):
        slate = observation.candidates[:, :1] if observation.candidates is not None else torch.zeros(users, 1, dtype=torch.int64)
        observation = environment.step(slate).observation
    return {"built": built - before, "stepped": used() - before}


def memories(names: Sequence[str], sizes: Sequence[tuple[int, int]]) -> list[tuple[str, int, int, float, float]]:
    """(name, items, users, MiB after building, MiB after stepping), each measured in a process of its own."""
    rows = []
    for name in names:
        for items, users in sizes:
            command = [sys.executable, __file__, "--one", name, str(items), str(users)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows.append((name, items, users, found["built"], found["stepped"]))
            print(*rows[-1], file=sys.stderr)
    return rows


def speed_table(rows: list[tuple[str, int, int, float]]) -> str:
    """Markdown, one row for each simulator and slate size, one column for each number of users."""
    numbers_of_users = sorted({row[1] for row in rows})
    head = " | ".join(f"N = {users:,}" for users in numbers_of_users)
    lines = [f"| simulator | slate | {head} |", "|---|---:|" + "---:|" * len(numbers_of_users)]
    for name, slate_size in dict.fromkeys((row[0], row[2]) for row in rows):
        found = {row[1]: row[3] for row in rows if (row[0], row[2]) == (name, slate_size)}
        lines.append(f"| {name} | {slate_size} | " + " | ".join(f"{found[n]:,.0f}" if n in found else "" for n in numbers_of_users) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=1.5, help="time of each measurement")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--small", action="store_true", help="few users and items, to see that the script runs")
    parser.add_argument("--one", nargs=3, metavar=("NAME", "ITEMS", "USERS"), help="memory of one environment, as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        name, items, users = arguments.one
        print(json.dumps(memory(name, int(items), int(users))))
    elif arguments.memory:
        measured = (["topic_world"], [(SMALL_ITEMS, SMALL_USERS[-1])]) if arguments.small else (MEMORY_SIMULATORS, MEMORY_SIZES)
        print("| simulator | items | users | MiB once built | MiB after 30 steps |\n|---|---:|---:|---:|---:|")
        for name, items, users, built, stepped in memories(*measured):
            print(f"| {name} | {items:,} | {users:,} | {built:,.0f} | {stepped:,.0f} |")
    else:
        print(f"{torch.get_num_threads()} threads, device {arguments.device}\n")
        users, items = (SMALL_USERS, SMALL_ITEMS) if arguments.small else (USERS, ITEMS)
        print(speed_table(speeds(arguments.device, 0.02 if arguments.small else arguments.seconds, users, items)))


if __name__ == "__main__":
    main()
