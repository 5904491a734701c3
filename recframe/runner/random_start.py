"""What happens before training: training users are shown random items, and the state tracker learns from their responses."""

from __future__ import annotations

import logging

from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.interfaces import Agent, StateTracker
from recframe.references.fitting.response_log import random_responses

log = logging.getLogger(__name__)

USERS = 512


def show_random_items(parts: Parts, agent: Agent, tracker: StateTracker) -> None:
    """Let `tracker`, and every copy of it in `agent`, learn from `tracker.random_steps` user-steps of training users with random items."""
    seed, steps = derived_seed(parts.cfg.seed, "random items"), tracker.random_steps
    log.info("fitting the state tracker to the responses in %d user-steps with random items", steps)
    responses = random_responses(parts.environment(USERS, "train"), parts.rewards, steps, parts.cfg.evaluation.max_steps, seed)
    for module in agent.modules():
        if isinstance(module, StateTracker):
            module.fit_responses(responses, seed)
