"""LinUCB: a linear bandit with upper confidence bounds (Li et al., 2010)."""

from __future__ import annotations

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker
from recframe.item_agents.search import ItemScores
from recframe_plugins.agents.bandits.config import LinUCBConfig
from recframe_plugins.agents.bandits.linear_bandit import Knowledge, LinearBandit


class LinUCB(LinearBandit):
    """Shows the K items of the highest theta' phi + alpha sqrt(phi' A^-1 phi) (Li et al., 2010, Algorithm 1, line 9).

    With `model=disjoint` each item has its own coefficients, as in Algorithm 1, and with `model=hybrid` all items share a part of them, as
    in Algorithm 2. By default they share all of them, and phi identifies the item (as in Chu et al., 2011).

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
        self._knowledge = Knowledge(self.model.after(posterior, observation, slate, items), items)
        return Decision(slate)

    def bounds(self, observation: Observation) -> ItemScores:
        """The upper confidence bound of every item's expected reward."""
        posterior, items = self.knowledge
        return self.model.bounds(observation, items, posterior, self.alpha)
