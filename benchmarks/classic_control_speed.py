"""How fast recframe and stable-baselines3 train on classic control: each with its own settings, in turn, without evaluations."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from classic_control_reference import TASKS
from omegaconf import DictConfig
from training_overhead import framework

from recframe.building.parts import Parts, assemble
from recframe.config import compose_config, validate
from recframe.tracking.atomic import atomic_write

EXPERIMENTS = {
    "dqn": ["experiment=cartpole"],
    "ppo": ["experiment=cartpole_ppo"],
    "actor_critic": ["experiment=cartpole_a2c"],
    "reinforce": ["experiment=cartpole_reinforce"],
    "ddpg": ["experiment=pendulum", "agent=ddpg"],
    "td3": ["experiment=pendulum", "agent=td3"],
}
SHARE = 10
"""A tenth of a run's steps is timed."""


def recframe_parts(agent: str) -> tuple[Parts, DictConfig]:
    """An experiment's parts, with a tenth of its steps."""
    cfg = validate(compose_config([*EXPERIMENTS[agent], "trainer.progress_bar=false"]))
    cfg.trainer.env_steps //= SHARE
    cfg.trainer.evaluate_every = cfg.trainer.env_steps
    return assemble(cfg), cfg


def reference_speed(algorithm: str) -> float:
    """Env steps per second of CPU of stable-baselines3's defaults."""
    task = TASKS[algorithm]
    model = task.algorithm("MlpPolicy", task.environment, seed=0, verbose=0, device="cpu")
    started = time.process_time()
    model.learn(task.env_steps // SHARE)
    return model.num_timesteps / (time.process_time() - started)


def time_agents(folder: Path, agents: Mapping[str, str | None], pairs: int) -> None:
    """Write `folder/speed_AGENT.json` for each agent, given with stable-baselines3's name for it: env steps per second of CPU, one thread.

    CPU seconds, because others may be at work on the machine. A first pair warms up and is not counted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for agent, algorithm in agents.items():
        parts, cfg = recframe_parts(agent)
        speeds: dict[str, list[float]] = {"recframe": []} | ({"stable-baselines3": []} if algorithm else {})
        for _ in range(pairs + 1):
            speeds["recframe"].append(framework(parts, cfg, time.process_time))
            if algorithm:
                speeds["stable-baselines3"].append(reference_speed(algorithm))
        counted = {library: values[1:] for library, values in speeds.items()}
        atomic_write(folder / f"speed_{agent}.json", json.dumps({"agent": agent, "env_steps_per_cpu_second": counted}) + "\n")
        print(agent, *(f"{library}: {', '.join(f'{value:,.0f}' for value in values)}" for library, values in counted.items()), flush=True)
