"""Soft actor-critic over items: keeps the policy as random as asked for while it learns what items are worth."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import (
    PAD,
    Decision,
    EnvironmentSpec,
    Experience,
    Observation,
    Replay,
    StateTracker,
    Transition,
)
from recframe.item_agents.exploration import num_allowed
from recframe.item_agents.item_agent import ItemAgent
from recframe.item_agents.optimization import TargetUpdate, adam
from recframe.item_agents.search import search_items
from recframe.item_agents.support import Candidates, ItemRange, ItemSupport
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.q_learning.q_network import Evaluation, QNetwork
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig


class Support(NamedTuple):
    """What an expectation under the policy runs over: `columns`, each an item, and which of them may be shown, `allowed` `[N, n]` bool."""

    columns: ItemSupport
    allowed: Tensor

    def scores(self, evaluation: Evaluation) -> Tensor:
        """The evaluation of each column's item, `[N, n]`; 0 for what may not be shown."""
        answers = self.columns.products(evaluation.query, evaluation.items)
        again = self.columns.contains(evaluation.history)
        scores = evaluation.value.unsqueeze(1) + answers + evaluation.repeat.unsqueeze(1) * again
        return scores.masked_fill(~self.allowed, 0.0)

    def policy(self, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        """pi(i | s) and log pi(i | s) of each column's item, both `[N, n]`; both are 0 for what may not be shown."""
        # in full precision whatever the losses': the probabilities of many items must add up to 1
        log_prob = self.scores(evaluation).float().masked_fill(~self.allowed, -torch.inf).log_softmax(dim=1)
        return log_prob.exp(), log_prob.masked_fill(~self.allowed, 0.0)


class Sampler(NamedTuple):
    """Scores whose maximum is a draw from their softmax: each with Gumbel noise added (Gumbel, 1954)."""

    evaluation: Evaluation
    generator: torch.Generator

    def of(self, chosen: Tensor) -> Tensor:
        """Noisy scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self._noisy(self.evaluation.of(chosen))

    def between(self, first: int, last: int) -> Tensor:
        """Noisy scores `[N, last - first]` of the items from number `first` to before `last`."""
        return self._noisy(self.evaluation.between(first, last))

    def _noisy(self, scores: Tensor) -> Tensor:
        return scores - torch.empty_like(scores).exponential_(generator=self.generator).log()


class SoftActorCritic(ItemAgent):
    """Discrete soft actor-critic (Christodoulou, 2019, arXiv:1910.07207) over items described by vectors.

    pi(i | s) is the softmax of a network's scores: the part of them that is the same for all items drops out. Expectations over items
    are exact over the candidates, or over the whole catalogue. In a large one, policy, values and entropy are those of the policy
    restricted to a working set, drawn for each update: `target_entropy` is a share of that of the set's items, and values are those of a
    policy without the items that are not in it, lower or higher than the policy's own.
    """

    def __init__(self, config: SoftActorCriticConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        if spec.slate_size != 1:
            raise ValueError(f"agent soft_actor_critic shows one item at a time: environment.slate_size must be 1, not {spec.slate_size}")
        self.config = config
        self.actor = QNetwork(state_tracker, spec.device)
        # each reads for itself: of two critics on one tracker the smaller value would hardly differ from the larger
        self.critics = nn.ModuleList(QNetwork(copy.deepcopy(state_tracker), spec.device) for _ in range(2))
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self._move_targets = TargetUpdate(self.targets, self.critics, config.target_update_rate)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature), device=spec.device))
        self._means: dict[str, Tensor | float] = {}

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    def project(self, items: Items) -> Tensor:
        """The actor's item vectors."""
        return items.vectors(self.actor.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """An item drawn from the policy, or its most probable one."""
        preferences = self.actor(observation, vectors)
        scores = Sampler(preferences, self.generator) if explore else preferences
        return Decision(search_items(observation, scores, items.count, 1).items)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The losses of critics, policy and temperature in turn; after the last, the target critics' move."""
        observation, temperature = batch.observation, self.log_temperature.exp().detach()
        q = torch.cat([critic.of(batch.slate) for critic in _evaluate(self.critics, observation, items)], dim=1)
        # the mean over both is the sum of their halves, equation (3)
        yield "critic", F.mse_loss(q, self.soft_target(batch, items, temperature).unsqueeze(1).expand_as(q))

        support = self.support(observation, items)
        (preferences,) = _evaluate([self.actor], observation, items)
        probability, log_prob = support.policy(preferences)
        with torch.no_grad():
            min_q = _smallest(support, _evaluate(self.critics, observation, items))
        yield "actor", (probability * (temperature * log_prob - min_q)).sum(dim=1).mean()  # equation (12)

        entropy = -(probability * log_prob).sum(dim=1).detach()
        target_entropy = self.config.target_entropy * num_allowed(observation, items.count).log()
        yield "temperature", (self.log_temperature.exp() * (entropy - target_entropy)).mean()  # equation (11)

        self._move_targets()
        self._means = {"mean_q": q.detach().mean(), "entropy": entropy.mean()}

    @torch.no_grad()
    def soft_target(self, batch: Transition, items: Items, temperature: Tensor) -> Tensor:
        """y = r + gamma pi(s')^T [min_k Q'_k(s') - alpha log pi(s')], `[N]`: equations (2), (3) and (10)."""
        following = batch.next_observation
        support = self.support(following, items)
        (preferences,) = _evaluate([self.actor], following, items)
        probability, log_prob = support.policy(preferences)
        min_q = _smallest(support, _evaluate(self.targets, following, items))
        soft_value = (probability * (min_q - temperature * log_prob)).sum(dim=1)
        # a truncated session would have gone on, so it bootstraps; a terminated one has no future, nor need it have candidates
        return batch.reward + self.config.gamma * soft_value.masked_fill(batch.terminated, 0.0)

    def support(self, observation: Observation, items: Items) -> Support:
        """What to sum over: the candidates where there are any, else the items that may be chosen."""
        columns: ItemSupport
        if observation.candidates is not None:
            columns, allowed = Candidates(observation.candidates), observation.candidates != PAD
        else:
            columns = ItemRange(0, items.count)
            allowed = torch.ones(len(observation.user), items.count, dtype=torch.bool, device=self.spec.device)
        if observation.excluded is not None:
            allowed = allowed & ~columns.contains(observation.excluded)
        return Support(columns, allowed)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for the critics, the policy and the temperature each."""
        parts = {"critic": self.critics.parameters(), "actor": self.actor.parameters(), "temperature": [self.log_temperature]}
        return {name: adam(parameters, self.config.learning_rate) for name, parameters in parts.items()}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The temperature, and the last batch's mean value and entropy (in nats)."""
        return {"temperature": self.log_temperature.detach().exp(), **self._means}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self._means = {}


def _evaluate(networks: nn.ModuleList | list[QNetwork], observation: Observation, items: Items) -> list[Evaluation]:
    return [network(observation, items.vectors(network.state_tracker)) for network in networks]


def _smallest(support: Support, evaluations: list[Evaluation]) -> Tensor:
    """min_k Q_k of each item, `[N, n]`: the smaller of two estimates keeps the maximum from growing on errors (Fujimoto et al., 2018)."""
    first, second = (support.scores(evaluation) for evaluation in evaluations)
    return torch.minimum(first, second)
