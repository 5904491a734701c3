"""What happens before training: the agent gets the weights of `init`, or its state tracker learns from responses to random items."""

from __future__ import annotations

import logging
from pathlib import Path

from recframe.building.initial import initial_policy
from recframe.building.parts import Parts
from recframe.building.seeds import derived_seed
from recframe.config import ConfigError
from recframe.interfaces import Agent, Environment, StateTracker
from recframe.references.fitting.response_log import random_responses
from recframe.runner.initial_weights import load_initial_weights

log = logging.getLogger(__name__)

USERS = 512


def started_agent(parts: Parts, environment: Environment, resume_from: Path | None) -> tuple[Agent, StateTracker]:
    """An agent and its tracker; every copy of the tracker has learned from `random_steps` user-steps of training users with random items.

    A run that starts from a policy (`init`) has its weights, and one that is resumed from a checkpoint has what was learned there.

    Raises
    ------
    ConfigError: nobody is simulated who could respond, or the weights do not fit.
    """
    agent, tracker = parts.agent_and_tracker(environment)
    if resume_from is None and (initial := initial_policy(parts.cfg)) is not None:
        load_initial_weights(initial, agent, parts.reading)
        return agent, tracker
    read = any(module is tracker for module in agent.modules())
    if not (read and tracker.random_steps) or resume_from is not None:
        return agent, tracker
    if not parts.simulates:
        chosen = parts.cfg.state_tracker.name
        raise ConfigError(
            [f"state_tracker={chosen} starts from responses to random items, and environment=none simulates nobody; use another"]
        )
    seed, steps = derived_seed(parts.cfg.seed, "random items"), tracker.random_steps
    log.info("fitting the state tracker to the responses in %d user-steps with random items", steps)
    responses = random_responses(parts.environment(USERS, "train"), parts.rewards, steps, parts.cfg.evaluation.max_steps, seed)
    tracker.fit_responses(responses, seed)
    for module in agent.modules():
        # target networks and separate critics have copies of the tracker
        if isinstance(module, StateTracker) and module is not tracker:
            for mine, fitted in zip(module.buffers(), tracker.buffers(), strict=True):
                mine.copy_(fitted)
    return agent, tracker
