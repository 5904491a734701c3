"""The overhead of the framework: recframe's fit compared with a plain PyTorch loop of the same simulator, networks and updates.

    python benchmarks/training_overhead.py
    python benchmarks/training_overhead.py --pairs 1 --env-steps 2048 encoder=tfidf      # a few seconds

The two run in turns in one process, and the ratio is computed for each pair, so that changes in the machine's speed hardly matter. The
plain loop is written by hand for one agent: tensors for a replay memory, the loss inline, no logging, checkpoints or evaluation. The
fit is that of `recframe train`, with its CSV logger, callbacks, divergence check and checkpoints; its evaluation does nothing, and W&B
is left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from omegaconf import DictConfig, OmegaConf

from recframe.building.parts import Parts, assemble
from recframe.building.seeds import derived_seed
from recframe.config import compose_config, validate
from recframe.experience import Collector, SimulatedStream
from recframe.interfaces import Agent
from recframe.tracking.metrics_csv import CsvMetricsLogger
from recframe.training import Interruption, fit


def framework_fit(parts: Parts, cfg: DictConfig) -> tuple[Agent, Callable[..., None]]:
    """An agent, and a function that fits it as `recframe train` does, with the CSV logger, no evaluation, and the given callbacks."""
    environment = parts.environment(cfg.environment.num_users, "train")
    agent = parts.agent(environment)
    collector = Collector(environment, parts.rewards, derived_seed(cfg.seed, "environment"))

    settings: Any = OmegaConf.to_object(cfg.trainer)

    def train(*callbacks: pl.Callback) -> None:
        stream = SimulatedStream.of(agent, collector, settings.chunk_steps, derived_seed(cfg.seed, "replay"))
        with tempfile.TemporaryDirectory() as folder:
            fit(
                agent,
                stream,
                settings,
                folder=Path(folder) / "checkpoints",
                evaluate=lambda: {"return": 0.0},
                loggers=[CsvMetricsLogger(folder)],
                callbacks=list(callbacks),
                interruption=Interruption(Path(folder)),
            )

    return agent, train


def framework(parts: Parts, cfg: DictConfig, clock: Callable[[], float] = time.perf_counter) -> float:
    """Env steps per second of the framework's fit; `clock` returns seconds."""
    agent, train = framework_fit(parts, cfg)
    started = clock()
    train()
    return agent.env_steps / (clock() - started)


def by_hand(parts: Parts, cfg: DictConfig) -> float:
    """Env steps per second of the plain loop."""
    environment = parts.environment(cfg.environment.num_users, "train")
    agent = parts.agent(environment)  # only for its networks and their initial weights
    online, target = agent.online, agent.target
    settings, users, history = cfg.agent, cfg.environment.num_users, cfg.state_tracker.history_length
    signals = environment.spec.signals
    capacity = settings.replay_capacity
    fields = {
        "user": torch.zeros(capacity, dtype=torch.int64),
        "items": torch.zeros(capacity, history, dtype=torch.int64),
        "feedback": torch.zeros(capacity, history, len(signals)),
        "next_user": torch.zeros(capacity, dtype=torch.int64),
        "next_items": torch.zeros(capacity, history, dtype=torch.int64),
        "next_feedback": torch.zeros(capacity, history, len(signals)),
        "action": torch.zeros(capacity, dtype=torch.int64),
        "reward": torch.zeros(capacity),
        "terminated": torch.zeros(capacity, dtype=torch.bool),
    }
    generator = torch.Generator().manual_seed(derived_seed(cfg.seed, "replay"))
    optimizer = torch.optim.Adam(online.parameters(), lr=settings.learning_rate)
    parameters = list(online.parameters())
    size = position = env_steps = updates = 0
    target_items = None

    class State:
        """The three tensors that the default state tracker reads."""

        candidates = context = features = None

        def __init__(self, user: torch.Tensor, items: torch.Tensor, feedback: torch.Tensor) -> None:
            self.user, self.history_items, self.history_feedback = user, items, feedback

    observation = environment.reset(derived_seed(cfg.seed, "environment"))
    started = time.perf_counter()
    total = cfg.trainer.env_steps
    while env_steps < total:
        with torch.no_grad():
            items = online.state_tracker.project_items()
            for _ in range(cfg.trainer.chunk_steps):
                action = online(observation, items).between(0, len(items)).argmax(dim=1)
                done = min(env_steps / settings.epsilon_decay_steps, 1.0)
                epsilon = settings.epsilon_start + done * (settings.epsilon_end - settings.epsilon_start)
                explore = torch.rand(users, generator=generator) < epsilon
                action = torch.where(explore, torch.randint(len(items), (users,), generator=generator), action)
                step = environment.step(action[:, None])
                rows = torch.arange(position, position + users) % capacity
                after = step.next_observation
                values = (
                    observation.user,
                    observation.history_items,
                    observation.history_feedback,
                    after.user,
                    after.history_items,
                    after.history_feedback,
                    action,
                    step.response.signals["click"][:, 0],
                    step.terminated,
                )
                for field, value in zip(fields.values(), values, strict=True):
                    field[rows] = value
                position, size = (position + users) % capacity, min(size + users, capacity)
                observation = step.observation
                env_steps += users
        if size < settings.learning_starts:
            continue
        for _ in range(settings.updates_per_chunk):
            rows = torch.randint(size, (settings.batch_size,), generator=generator)
            batch = {name: field[rows] for name, field in fields.items()}
            items = online.state_tracker.project_items()
            q = online(State(batch["user"], batch["items"], batch["feedback"]), items).of(batch["action"][:, None])[:, 0]
            with torch.no_grad():
                target_items = target.state_tracker.project_items() if target_items is None else target_items
                after = State(batch["next_user"], batch["next_items"], batch["next_feedback"])
                best = online(after, items).between(0, len(items)).argmax(dim=1, keepdim=True)
                next_q = target(after, target_items).of(best)[:, 0]
                td_target = batch["reward"] + settings.gamma * next_q * ~batch["terminated"]
            loss = F.smooth_l1_loss(q, td_target)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, cfg.trainer.gradient_clip)
            optimizer.step()
            updates += 1
            if updates % settings.target_update_interval == 0:
                target.load_state_dict(online.state_dict())
                target_items = None
    return env_steps / (time.perf_counter() - started)


def main() -> None:
    """Run the pairs and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs, after one that warms up")
    parser.add_argument("--env-steps", type=int, default=40_960)
    parser.add_argument("overrides", nargs="*", help="overrides of the default config, such as state_tracker=mean")
    arguments = parser.parse_args()
    length = [
        f"trainer.env_steps={arguments.env_steps}",
        f"trainer.evaluate_every={arguments.env_steps // 2}",
        "trainer.progress_bar=false",
    ]
    cfg = validate(compose_config([*length, *arguments.overrides]))
    parts = assemble(cfg)
    pairs = []
    for number in range(arguments.pairs + 1):
        pair = (framework(parts, cfg), by_hand(parts, cfg))
        if number:  # the first pair warms up
            pairs.append(pair)
            ours, hand = pair
            print(f"pair {number}: recframe {ours:,.0f}, by hand {hand:,.0f} env steps/s: by hand / recframe = {hand / ours:.3f}")
    ratios = sorted(hand / ours for ours, hand in pairs)
    print(f"median {statistics.median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}] over {len(ratios)} pairs")


if __name__ == "__main__":
    main()
