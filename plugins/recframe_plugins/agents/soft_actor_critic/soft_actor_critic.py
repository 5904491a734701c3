"""Soft actor-critic over items: learns the values of items, and a policy that is held to a target entropy."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

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
    num_allowed,
    own_draws,
)
from recframe.item_agents import (
    CandidateColumns,
    ItemAgent,
    ItemColumns,
    ItemRange,
    Items,
    QNetwork,
    QValues,
    TargetUpdate,
    adam,
    search_items,
)
from recframe_plugins.agents.soft_actor_critic.config import SoftActorCriticConfig


class PolicyColumns(NamedTuple):
    """The items that an expectation under the policy runs over: `columns`, and those that may be shown, `allowed` `[N, n]` bool."""

    columns: ItemColumns
    allowed: Tensor

    def values(self, q: QValues) -> Tensor:
        """Q of each column's item, `[N, n]`; 0 for items that may not be shown."""
        products = self.columns.products(q.query, q.items)
        again = self.columns.contains(q.history)
        values = q.value.unsqueeze(1) + products + q.repeat.unsqueeze(1) * again
        if q.prior is not None:
            values = values + q.prior.over(self.columns)
        return values.masked_fill(~self.allowed, 0.0)

    def policy(self, logits: QValues) -> tuple[Tensor, Tensor]:
        """pi(i | s) and log pi(i | s) of each column's item, both `[N, n]`; both are 0 for items that may not be shown."""
        # in float32 whatever the precision of the losses: the probabilities of many items must sum to 1
        log_prob = self.values(logits).float().masked_fill(~self.allowed, -torch.inf).log_softmax(dim=1)
        return log_prob.exp(), log_prob.masked_fill(~self.allowed, 0.0)


class GumbelScores(NamedTuple):
    """Scores plus Gumbel noise, whose maximum is a draw from the softmax of the scores (Gumbel, 1954)."""

    scores: QValues
    generator: torch.Generator

    def of(self, chosen: Tensor) -> Tensor:
        """Noisy scores `[N, C]` of the items numbered `chosen` `[N, C]`."""
        return self._noisy(self.scores.of(chosen))

    def between(self, first: int, last: int) -> Tensor:
        """Noisy scores `[N, last - first]` of the items from number `first` to before `last`."""
        return self._noisy(self.scores.between(first, last))

    def _noisy(self, scores: Tensor) -> Tensor:
        users, size = scores.shape
        noise = own_draws(lambda n: scores.new_empty(n, size).exponential_(generator=self.generator), users)
        return scores - noise.log()


class SoftActorCritic(ItemAgent):
    """Discrete soft actor-critic (Christodoulou, 2019, arXiv:1910.07207) over items described by vectors.

    pi(i | s) is the softmax of a Q network's output, in which V(s), the same for all items, has no effect. Expectations over items are
    exact over the candidates, or over the whole catalogue. In a large catalogue, policy, values and entropy are those of the policy
    restricted to a working set, drawn for each update: `target_entropy` is a share of the entropy of the set's items, and values are those
    of the restricted policy, lower or higher than those of the policy itself.
    """

    def __init__(self, config: SoftActorCriticConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed)
        if spec.slate_size != 1:
            raise ValueError(f"agent soft_actor_critic shows one item at a time: environment.slate_size must be 1, not {spec.slate_size}")
        self.config = config
        self.actor = QNetwork(state_tracker, spec.device)
        # with a tracker each: the values of two critics on one tracker would hardly differ
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
        if not explore:
            return Decision(self.greedy(observation, items, vectors, 1))
        scores = GumbelScores(self.actor(observation, vectors), self.generator)
        return Decision(search_items(observation, scores, items.num_items, 1).items)

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The most probable items."""
        return search_items(observation, self.actor(observation, vectors), items.num_items, k).items

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The losses of critics, policy and temperature in turn; after the last one, the target critics' move."""
        observation, temperature = batch.observation, self.log_temperature.exp().detach()
        q = torch.cat([critic.of(batch.slate) for critic in _evaluate(self.critics, observation, items)], dim=1)
        # the mean over both is the sum of their halves, equation (3)
        yield "critic", F.mse_loss(q, self.soft_target(batch, items, temperature).unsqueeze(1).expand_as(q))

        allowed = self.allowed_items(observation, items)
        (logits,) = _evaluate([self.actor], observation, items)
        probability, log_prob = allowed.policy(logits)
        with torch.no_grad():
            min_q = _smallest(allowed, _evaluate(self.critics, observation, items))
        yield "actor", (probability * (temperature * log_prob - min_q)).sum(dim=1).mean()  # equation (12)

        entropy = -(probability * log_prob).sum(dim=1).detach()
        target_entropy = self.config.target_entropy * num_allowed(observation, items.num_items).log()
        yield "temperature", (self.log_temperature.exp() * (entropy - target_entropy)).mean()  # equation (11)

        self._move_targets()
        self._means = {"mean_q": q.detach().mean(), "entropy": entropy.mean()}

    @torch.no_grad()
    def soft_target(self, batch: Transition, items: Items, temperature: Tensor) -> Tensor:
        """y = r + gamma pi(s')^T [min_k Q'_k(s') - alpha log pi(s')], `[N]`: equations (2), (3) and (10)."""
        next_observation = batch.next_observation
        allowed = self.allowed_items(next_observation, items)
        (logits,) = _evaluate([self.actor], next_observation, items)
        probability, log_prob = allowed.policy(logits)
        min_q = _smallest(allowed, _evaluate(self.targets, next_observation, items))
        soft_value = (probability * (min_q - temperature * log_prob)).sum(dim=1)
        # a truncated session would have gone on, so it bootstraps; a terminated one has no future, and perhaps no candidates
        return batch.reward + self.config.gamma * soft_value.masked_fill(batch.terminated, 0.0)

    def allowed_items(self, observation: Observation, items: Items) -> PolicyColumns:
        """The items to sum over: the candidates if there are any, otherwise all items that may be chosen."""
        columns: ItemColumns
        if observation.candidates is not None:
            columns, allowed = CandidateColumns(observation.candidates), observation.candidates != PAD
        else:
            columns = ItemRange(0, items.num_items)
            allowed = torch.ones(len(observation.user), items.num_items, dtype=torch.bool, device=self.spec.device)
        if observation.excluded is not None:
            allowed = allowed & ~columns.contains(observation.excluded)
        return PolicyColumns(columns, allowed)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for the critics, for the policy and for the temperature."""
        parts = {"critic": self.critics.parameters(), "actor": self.actor.parameters(), "temperature": [self.log_temperature]}
        return {name: adam(parameters, self.config.learning_rate) for name, parameters in parts.items()}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The temperature, and the mean value and entropy (in nats) of the last batch."""
        return {"temperature": self.log_temperature.detach().exp(), **self._means}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self._means = {}


def _evaluate(networks: nn.ModuleList | list[QNetwork], observation: Observation, items: Items) -> list[QValues]:
    return [network(observation, items.vectors(network.state_tracker)) for network in cast(Iterable[QNetwork], networks)]


def _smallest(allowed: PolicyColumns, values: list[QValues]) -> Tensor:
    """min_k Q_k of each item, `[N, n]`: the smaller of two estimates limits overestimation (Fujimoto et al., 2018)."""
    first, second = (allowed.values(q) for q in values)
    return torch.minimum(first, second)
