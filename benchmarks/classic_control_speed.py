"""Training speed of recframe and stable-baselines3 on classic control: each with its own settings, in turns, without evaluations."""

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
SHARE, SMALL_SHARE = 0.1, 0.001
"""The share of a run's steps that is timed."""


def recframe_parts(agent: str, share: float) -> tuple[Parts, DictConfig]:
    """An experiment's parts, with a share of its steps."""
    cfg = validate(compose_config([*EXPERIMENTS[agent], "trainer.progress_bar=false"]))
    cfg.trainer.env_steps = round(cfg.trainer.env_steps * share)
    cfg.trainer.evaluate_every = cfg.trainer.env_steps
    return assemble(cfg), cfg


def reference_speed(algorithm: str, share: float) -> float:
    """Env steps per second of CPU of stable-baselines3's defaults."""
    task = TASKS[algorithm]
    model = task.algorithm("MlpPolicy", task.environment, seed=0, verbose=0, device="cpu")
    started = time.process_time()
    model.learn(round(task.env_steps * share))
    return model.num_timesteps / (time.process_time() - started)


def time_agents(folder: Path, agents: Mapping[str, str | None], pairs: int, share: float) -> None:
    """Write `folder/speed_AGENT.json` for each agent, a key of `agents` whose value is its name in stable-baselines3.

    The speed is env steps per CPU second on one thread: CPU time, since other processes may use the machine. A first pair warms up and is
    not counted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for agent, algorithm in agents.items():
        parts, cfg = recframe_parts(agent, share)
        speeds: dict[str, list[float]] = {"recframe": []} | ({"stable-baselines3": []} if algorithm else {})
        for _ in range(pairs + 1):
            speeds["recframe"].append(framework(parts, cfg, time.process_time))
            if algorithm:
                speeds["stable-baselines3"].append(reference_speed(algorithm, share))
        counted = {library: values[1:] for library, values in speeds.items()}
        atomic_write(folder / f"speed_{agent}.json", json.dumps({"agent": agent, "env_steps_per_cpu_second": counted}) + "\n")
        print(agent, *(f"{library}: {', '.join(f'{value:,.0f}' for value in values)}" for library, values in counted.items()), flush=True)
