"""LinUCB: a linear bandit with upper confidence bounds (Li et al., 2010)."""

from __future__ import annotations

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe_plugins.agents.bandits.config import LinUCBConfig
from recframe_plugins.agents.bandits.linear_bandit import Knowledge, LinearBandit
from recframe_plugins.agents.bandits.linear_scores import UpperBounds


class LinUCB(LinearBandit):
    """Shows the K items of the highest theta' phi + alpha sqrt(phi' A^-1 phi) (Li et al., 2010, Algorithm 1, line 9).

    In the paper each arm has its own coefficients. Here all items share them, and phi identifies the item (as in Chu et al., 2011).

    Nothing is drawn at random, so until rewards arrive, the same bounds would show all users the same items at every step. The
    uncertainty depends on the items shown and not on their rewards, so A is updated at once and b when the rewards arrive (Desautels et
    al., 2014, Algorithm 1). Within one step, all users' slates use the same A.
    """

    def __init__(self, config: LinUCBConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.alpha = config.alpha

    def explore(self, observation: Observation) -> Decision:
        """The slates of the highest upper confidence bounds. Their items are less uncertain from the next step on."""
        slate = self.best(observation, self.bounds(observation))
        posterior, items = self.knowledge
        # only the covariance, because bounds do not use the factor
        covariance = self.model.covariance_after(posterior.covariance, observation, slate, items)
        self._knowledge = Knowledge(posterior._replace(covariance=covariance), items)
        return Decision(slate)

    def bounds(self, observation: Observation) -> UpperBounds:
        """The upper confidence bound of every item's expected reward."""
        posterior, items = self.knowledge
        expected = self.model.expected(observation, items, posterior.mean)
        return UpperBounds(expected, self.model.variance(observation, items, posterior.covariance), self.alpha)
