"""The prior over candidates of a run, and the agent that reads it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from recframe.config import ConfigError
from recframe.interfaces import Agent, Data, EnvironmentSpec
from recframe.item_agents import ItemAgent

log = logging.getLogger(__name__)


def with_prior(spec: EnvironmentSpec, cfg: DictConfig) -> EnvironmentSpec:
    """The specification for agents of this run, which says whether there is a prior.

    Raises
    ------
    ConfigError: there is to be one, and there are no candidates.
    """
    if cfg.prior.model is None:
        return spec
    if not spec.num_candidates:
        raise ConfigError([f"prior.model: the prior is over candidates, and environment={cfg.environment.name} has none; set it to null"])
    return replace(spec, prior_weight=float(cfg.prior.weight))


def give_prior(agent: Agent, cfg: DictConfig, data: Data) -> None:
    """Load the prior's model, and let the agent read it. What titles have without anything known is computed here, or found in the cache.

    Raises
    ------
    ConfigError: the agent does not read it.
    recframe.errors.ModelError: the model is not found, or does not load.
    """
    if not isinstance(agent, ItemAgent):
        raise ConfigError([f"prior.model: agent={cfg.agent.name} adds no prior to scores of items; set it to null"])
    # its libraries take seconds to import
    from recframe.item_agents.candidate_prior import CandidatePrior

    settings: Any = OmegaConf.to_object(cfg.prior)
    prior = CandidatePrior(settings, agent.spec, data)
    if settings.calibrate:
        log.info("prior: %s reads the titles of %d items", settings.model, len(data.catalog))
        prior.without_person()
    agent.use_prior(prior)
