"""Linear contextual bandits: they learn the immediate reward of items, explore while it is uncertain, and do not plan."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recframe.interfaces import Agent, Decision, EnvironmentSpec, Experience, Observation, Rollout, StateTracker, Transition
from recframe.item_agents.exploration import epsilon_greedy, linear_schedule
from recframe.item_agents.search import ItemScores, search_items
from recframe_plugins.agents.bandits.config import EpsilonGreedyConfig, LinearRewardConfig, LinUCBConfig, ThompsonConfig
from recframe_plugins.agents.bandits.linear_reward import LinearReward, Posterior
from recframe_plugins.agents.bandits.linear_scores import UpperBounds


class Knowledge(NamedTuple):
    """What decisions use until the next rewards arrive: the posterior, and the features of all items `[M + 1, Q]`."""

    posterior: Posterior
    items: Tensor


class LinearBandit(Agent):
    """Shows the K items of the highest expected reward, which it learns in closed form from every reward once.

    Rewards arrive in chunks, so all decisions of a chunk use only the rewards of earlier chunks: a bandit with delayed feedback.
    Subclasses define how to explore.
    """

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.model = LinearReward(config, spec, state_tracker)
        self._knowledge: Knowledge | None = None

    @property
    def experience(self) -> Experience:
        """Every step once, because a reward that is learned twice counts twice."""
        return Rollout()

    @property
    def knowledge(self) -> Knowledge:
        """The current posterior and item features."""
        if self._knowledge is None:
            self._knowledge = Knowledge(self.model.posterior(), self.model.items())
        return self._knowledge

    def prepare_to_act(self) -> None:
        """Compute the posterior once for the next decisions."""
        self._knowledge = None
        self._knowledge = self.knowledge

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The slate of the highest expected reward, or an exploring one."""
        return self.explore(observation) if explore else Decision(self.greedy(observation))

    def greedy(self, observation: Observation) -> Tensor:
        """The slates `[N, K]` of the highest expected reward."""
        posterior, items = self.knowledge
        return self.best(observation, self.model.expected(observation, items, posterior.mean))

    def best(self, observation: Observation, scores: ItemScores) -> Tensor:
        """The slates `[N, K]` of the highest scores. Memory is bounded for catalogues of any size."""
        return search_items(observation, scores, self.spec.num_items, self.spec.slate_size).items

    @abstractmethod
    def explore(self, observation: Observation) -> Decision:
        """The slates `[N, K]` to learn from."""

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the rewards of the rollout are added to the posterior."""
        self.model.learn(batch.reshape(-1))
        self._knowledge = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """No optimizers: the posterior has a closed form."""
        return {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Load a saved state, and discard what was computed from the previous posterior."""
        super().set_extra_state(state)
        self._knowledge = None


class EpsilonGreedy(LinearBandit):
    """Shows a random slate with probability epsilon, which falls over time, and otherwise the slate of the highest expected reward."""

    def __init__(self, config: EpsilonGreedyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.config = config

    @property
    def epsilon(self) -> float:
        """The current probability of a random slate."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    def explore(self, observation: Observation) -> Decision:
        """An epsilon-greedy choice."""
        return epsilon_greedy(observation, self.greedy(observation), self.epsilon, self.spec.num_items, self.generator)

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon."""
        return {"epsilon": self.epsilon}


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


class Thompson(LinearBandit):
    """Shows the K best items under coefficients drawn for each user from N(A^-1 b, v^2 A^-1) (Agrawal & Goyal, 2013, Algorithm 1)."""

    def __init__(self, config: ThompsonConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.scale = config.scale

    def explore(self, observation: Observation) -> Decision:
        """The best slates under the drawn coefficients."""
        scores = self.model.expected(observation, self.knowledge.items, self.draw(len(observation.user)))
        return Decision(self.best(observation, scores))

    def draw(self, users: int) -> Tensor:
        """Random coefficients for each user, `[N, n]`."""
        posterior = self.knowledge.posterior
        noise = torch.randn(len(posterior.mean), users, generator=self.generator, device=self.spec.device)
        # the covariance of L^-T z is (L L')^-1
        return posterior.mean + self.scale * torch.linalg.solve_triangular(posterior.factor.T, noise, upper=True).T
