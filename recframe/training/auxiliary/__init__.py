"""Auxiliary tasks of the agent's state tracker, trained in the agent's own steps."""

from recframe.config.schema.run import AuxiliaryConfig
from recframe.interfaces import Agent, StateTracker
from recframe.training.auxiliary.behaviour import BehaviourPrediction
from recframe.training.auxiliary.head import AuxiliaryHead
from recframe.training.auxiliary.responses import ResponsePrediction

__all__ = ["AuxiliaryHead", "BehaviourPrediction", "ResponsePrediction", "auxiliary_head"]


def auxiliary_head(settings: AuxiliaryConfig, agent: Agent, tracker: StateTracker, seed: int) -> AuxiliaryHead | None:
    """The head that `auxiliary.predicts` names; None without a weight. Raises what the heads raise."""
    if not settings.weight:
        return None
    kind = ResponsePrediction if settings.predicts == "responses" else BehaviourPrediction
    return kind(settings, agent, tracker, seed)
