"""stable-baselines3's agents on classic control, with that library's defaults: the reference of `classic_control.py`."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, TD3
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from recframe.tracking.atomic import atomic_write


@dataclass(frozen=True)
class Size:
    """The size of a run: episodes of the final and of each periodic evaluation, and what the number of training steps is divided by."""

    final_episodes: int
    periodic_episodes: int
    divisor: int = 1


FULL, SMALL = Size(100, 32), Size(2, 2, 1_000)


@dataclass(frozen=True)
class Task:
    """An algorithm, its Gymnasium environment, and its numbers of steps of training and between evaluations."""

    algorithm: type
    environment: str
    env_steps: int
    evaluate_every: int


TASKS = {
    "dqn": Task(DQN, "CartPole-v1", 100_000, 10_000),
    "ppo": Task(PPO, "CartPole-v1", 100_000, 10_000),
    "a2c": Task(A2C, "CartPole-v1", 100_000, 10_000),
    "ddpg": Task(DDPG, "Pendulum-v1", 20_000, 2_000),
    "td3": Task(TD3, "Pendulum-v1", 20_000, 2_000),
}


class Evaluations(BaseCallback):
    """Evaluates every `every` steps, keeps the weights of the best evaluation, and records the time of the evaluations.

    Parameters
    ----------
    evaluate: the mean return of a model, played deterministically in separate environments.
    """

    def __init__(self, evaluate: Callable[[Any], float], every: int) -> None:
        super().__init__()
        self._evaluate, self._every = evaluate, every
        self.curve: list[tuple[int, float]] = []
        self.best_weights: dict[str, torch.Tensor] | None = None
        self.seconds = self.cpu_seconds = 0.0

    def _on_step(self) -> bool:
        if self.num_timesteps % self._every:
            return True
        wall, cpu = time.perf_counter(), time.process_time()
        mean = self._evaluate(self.model)
        if not self.curve or mean > max(value for _, value in self.curve):
            self.best_weights = copy.deepcopy(self.model.policy.state_dict())
        self.curve.append((self.num_timesteps, mean))
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        return True


def episode_returns(model: Any, environment: str, episodes: int, seed: int) -> list[float]:
    """Undiscounted returns of `episodes` deterministic episodes, each in a new environment."""
    envs = make_vec_env(environment, n_envs=episodes, seed=seed)
    returns, _ = evaluate_policy(model, envs, n_eval_episodes=episodes, deterministic=True, return_episode_rewards=True)
    envs.close()
    return [float(value) for value in returns]


def train(name: str, seed: int, size: Size) -> dict[str, Any]:
    """One run with the library's defaults on one thread: its curve, final returns, and seconds of training without evaluations."""
    task = TASKS[name]
    torch.set_num_threads(1)
    # the same episodes in all evaluations of a run, others at the end, and none of the training episodes
    periodic, final = 10_000 * (seed + 1), 10_000 * (seed + 1) + 5_000
    evaluations = Evaluations(
        lambda model: float(np.mean(episode_returns(model, task.environment, size.periodic_episodes, periodic))),
        task.evaluate_every // size.divisor,
    )
    model = task.algorithm("MlpPolicy", task.environment, seed=seed, verbose=0, device="cpu")
    wall, cpu = time.perf_counter(), time.process_time()
    model.learn(task.env_steps // size.divisor, callback=evaluations)
    seconds = time.perf_counter() - wall - evaluations.seconds
    cpu_seconds = time.process_time() - cpu - evaluations.cpu_seconds
    last = episode_returns(model, task.environment, size.final_episodes, final)
    assert evaluations.best_weights is not None
    model.policy.load_state_dict(evaluations.best_weights)
    best = episode_returns(model, task.environment, size.final_episodes, final)
    return {
        "library": f"stable-baselines3 {stable_baselines3.__version__}",
        "algorithm": name,
        "environment": task.environment,
        "seed": seed,
        "env_steps": model.num_timesteps,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "curve": evaluations.curve,
        "last": last,
        "best": best,
    }


def run_all(folder: Path, names: list[str], seeds: list[int], size: Size = FULL) -> None:
    """Train each algorithm with each seed for which `folder` has no `NAME-SEED.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for seed in seeds:
            path = folder / f"{name}-{seed}.json"
            if path.exists():
                continue
            result = train(name, seed, size)
            atomic_write(path, json.dumps(result) + "\n")
            best, last = np.mean(result["best"]), np.mean(result["last"])
            print(f"{name} seed {seed}: best {best:.1f}, last {last:.1f}, {result['cpu_seconds']:.0f} s of CPU", flush=True)
