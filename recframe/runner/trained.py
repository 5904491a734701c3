"""The trained agent of a run, built again from the run's folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig
from torch import Tensor

from recframe.building.parts import Parts, assemble
from recframe.interfaces import Agent, Environment, Role
from recframe.tracking import DataRecord
from recframe.training import BEST, FINAL, load_weights, read_tuned
from recframe.trial import try_components

log = logging.getLogger(__name__)


class TrainedAgent(NamedTuple):
    """An agent with a run's weights, the parts that it was built from, and an environment of training users.

    tuned: by role, the text vectors `[n, D]` that it reads in place of those of `Parts.reading`, if its language model was tuned; or empty.
    """

    agent: Agent
    parts: Parts
    training_users: Environment
    tuned: Mapping[Role, Tensor]


def trained_agent(folder: Path, cfg: DictConfig, other_data: bool, remedy: str) -> TrainedAgent:
    """Load the run's data, build its parts, and give an agent the final weights of the run (of a stopped run: the best so far).

    Parameters
    ----------
    cfg: the validated config of the run.   other_data: accept data that differs from the run's.   remedy: how to accept it, for the error.

    Raises
    ------
    DataChanged: the data is not that of the run, and `other_data` is false.
    CheckpointError: the run has no weights, or they do not fit.
    """
    record = DataRecord(folder, accept=other_data, remedy=remedy)
    record.note_if_missing()
    try_components(cfg)
    parts = assemble(cfg, record.check)
    training_users = parts.training_environment()
    agent = parts.agent(training_users)
    checkpoints = folder / "checkpoints"
    final = checkpoints / FINAL
    weights = final if final.is_file() else checkpoints / BEST
    if weights != final and weights.is_file():
        log.warning("%s does not exist: using %s, the best weights so far", final, weights.name)
    load_weights(agent, weights)
    encoder = parts.tunable_encoder()
    tuned = {} if encoder is None else read_tuned(agent, parts.reading, encoder, weights, parts.store, parts.reduction)
    return TrainedAgent(agent, parts, training_users, tuned)
