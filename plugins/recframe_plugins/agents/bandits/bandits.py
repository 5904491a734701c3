"""Linear bandits: learn the reward of showing an item now, and explore by what is not yet known of it. They do not plan."""

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
from recframe_plugins.agents.bandits.linear_scores import Bounds


class Knowledge(NamedTuple):
    """What decisions rest on until the next rewards come: the posterior, and the features of all items `[M + 1, Q]`."""

    posterior: Posterior
    items: Tensor


class LinearBandit(Agent):
    """Shows the K items of the highest expected reward, and learns that in closed form from every reward once.

    Rewards come in chunks, so that all decisions of a chunk rest on the rewards of those before: the bandit with delayed feedback.
    Subclasses say how to explore.
    """

    def __init__(self, config: LinearRewardConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        self.model = LinearReward(config, spec, state_tracker)
        self._knowledge: Knowledge | None = None

    @property
    def experience(self) -> Experience:
        """Every step once: a reward that is counted twice is believed twice."""
        return Rollout()

    @property
    def knowledge(self) -> Knowledge:
        """What is known now."""
        if self._knowledge is None:
            self._knowledge = Knowledge(self.model.posterior(), self.model.items())
        return self._knowledge

    def prepare_to_act(self) -> None:
        """Solve for the posterior once for the coming decisions."""
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
        """The slates `[N, K]` of the highest scores, in bounded memory however large the catalogue is."""
        return search_items(observation, scores, self.spec.num_items, self.spec.slate_size).items

    @abstractmethod
    def explore(self, observation: Observation) -> Decision:
        """The slates `[N, K]` to learn from."""

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """No losses: the posterior takes up the rewards of the rollout."""
        self.model.learn(batch.reshape(-1))
        self._knowledge = None
        yield from ()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """None: the posterior is known in closed form."""
        return {}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed from another posterior."""
        super().set_extra_state(state)
        self._knowledge = None


class EpsilonGreedy(LinearBandit):
    """A random slate with probability epsilon, which falls over time; otherwise the slate of the highest expected reward."""

    def __init__(self, config: EpsilonGreedyConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.config = config

    @property
    def epsilon(self) -> float:
        """The present probability of a random slate."""
        config = self.config
        return linear_schedule(config.epsilon_start, config.epsilon_end, config.epsilon_decay_steps, self.env_steps)

    def explore(self, observation: Observation) -> Decision:
        """An epsilon-greedy choice."""
        return epsilon_greedy(observation, self.greedy(observation), self.epsilon, self.spec.num_items, self.generator)

    def diagnostics(self) -> dict[str, Tensor | float]:
        """Epsilon."""
        return {"epsilon": self.epsilon}


class LinUCB(LinearBandit):
    """The K items of the highest theta' phi + alpha sqrt(phi' A^-1 phi) (Li et al., 2010, Algorithm 1, line 9).

    Their arms have coefficients each; here all items share theirs, and phi says which item it is (as in Chu et al., 2011).

    Nothing is drawn at random: until rewards come, the same bounds would lead everybody to the same items, step after step. How certain an
    estimate is depends on what was shown and not on its rewards, so A takes up what is shown at once, and b the rewards once they are there
    (Desautels et al., 2014, Algorithm 1). Within one step all users are shown what is best by the same A.
    """

    def __init__(self, config: LinUCBConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.alpha = config.alpha

    def explore(self, observation: Observation) -> Decision:
        """The slates of the highest upper confidence bounds; what they show counts as known from the next step on."""
        slate = self.best(observation, self.bounds(observation))
        posterior, items = self.knowledge
        # the covariance alone: bounds need no factor
        covariance = self.model.foreseen(posterior.covariance, observation, slate, items)
        self._knowledge = Knowledge(posterior._replace(covariance=covariance), items)
        return Decision(slate)

    def bounds(self, observation: Observation) -> Bounds:
        """The upper confidence bound of every item's expected reward."""
        posterior, items = self.knowledge
        expected = self.model.expected(observation, items, posterior.mean)
        return Bounds(expected, self.model.variance(observation, items, posterior.covariance), self.alpha)


class Thompson(LinearBandit):
    """The K best items under coefficients drawn for each user from N(A^-1 b, v^2 A^-1) (Agrawal & Goyal, 2013, Algorithm 1)."""

    def __init__(self, config: ThompsonConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        self.scale = config.scale

    def explore(self, observation: Observation) -> Decision:
        """The best slates under what was drawn."""
        scores = self.model.expected(observation, self.knowledge.items, self.draw(len(observation.user)))
        return Decision(self.best(observation, scores))

    def draw(self, users: int) -> Tensor:
        """Coefficients for each user, `[N, n]`."""
        posterior = self.knowledge.posterior
        noise = torch.randn(len(posterior.mean), users, generator=self.generator, device=self.spec.device)
        # L^-T z has the covariance (L L')^-1
        return posterior.mean + self.scale * torch.linalg.solve_triangular(posterior.factor.T, noise, upper=True).T
