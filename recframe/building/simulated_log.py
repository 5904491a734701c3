"""A log of random items in the run's simulator, for a logged stage without logged data."""

from __future__ import annotations

import logging
import math

import polars as pl
import torch
from omegaconf import DictConfig
from torch import Tensor

from recframe.attribution import blaming
from recframe.building.logs import RunLog, split_run_log
from recframe.building.seeds import derived_seed
from recframe.interfaces import Data, Environment, Interactions, random_items

log = logging.getLogger(__name__)

USERS = 256
"""Users simulated at once."""
SOURCE = "of random items in the simulator"


def simulated_log(cfg: DictConfig, data: Data, environment: Environment) -> RunLog:
    """The log of `logged.simulated_steps` user-steps in which people of the training split are shown random items, split as any log.

    It belongs to the world, so it is the same in runs with several seeds. A session is a sequence; an anonymous person has one.
    """
    interactions = random_interactions(environment, cfg.logged.simulated_steps, derived_seed(cfg.evaluation.seed, "simulated log"))
    log.info("a log %s: %s interactions", SOURCE, f"{len(interactions):,}")
    return split_run_log(cfg, data._replace(interactions=interactions))[1]


def random_interactions(environment: Environment, steps: int, seed: int) -> Interactions:
    """At least `steps` user-steps of random slates, with a session's number, and the step in place of a time."""
    spec = environment.spec
    generator = torch.Generator(spec.device).manual_seed(seed)
    with blaming(environment):
        observation = environment.reset(seed)
    session = torch.arange(spec.num_users, device=spec.device)
    columns: dict[str, list[Tensor]] = {name: [] for name in ("user", "item", "session", "timestamp", *spec.signals)}
    for number in range(math.ceil(steps / spec.num_users)):
        slate = random_items(observation, spec.num_items, spec.slate_size, generator)
        with blaming(environment):
            step = environment.step(slate)
        signals = {name: step.response.signals[name][:, 0] for name in spec.signals}
        user = observation.user if spec.has_users else session
        row = {"user": user, "item": slate[:, 0], "session": session, "timestamp": torch.full_like(session, number), **signals}
        for name, values in row.items():
            columns[name].append(values)
        finished = step.terminated | step.truncated
        session = torch.where(finished, session.max() + finished.cumsum(0), session)
        observation = step.observation
    frame = pl.DataFrame({name: torch.cat(parts).cpu().numpy() for name, parts in columns.items()})
    return Interactions(frame, feedback=spec.signals, source=SOURCE)
