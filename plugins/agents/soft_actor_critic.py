"""Soft actor-critic over items: keeps the policy as random as asked for while it learns what items are worth."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.components import require_consistent
from recframe.interfaces import (
    PAD,
    Agent,
    Decision,
    EnvironmentSpec,
    Experience,
    Observation,
    Replay,
    StateTracker,
    Transition,
)
from recframe_plugins.agents.exploration import num_allowed
from recframe_plugins.agents.item_search import search_items
from recframe_plugins.agents.item_support import Candidates, ItemRange, ItemSample, ItemSupport
from recframe_plugins.agents.q_network import Evaluation, QNetwork
from recframe_plugins.agents.soft_actor_critic_config import SoftActorCriticConfig


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
        """The probability that pi(. | s) gives to all that a column stands for, and log pi(i | s) of its item alone, both `[N, n]`.

        Both are 0 for what may not be shown.
        """
        weighted = self.scores(evaluation) + self.columns.log_weight
        log_mass = weighted.masked_fill(~self.allowed, -torch.inf).log_softmax(dim=1)
        return log_mass.exp(), (log_mass - self.columns.log_weight).masked_fill(~self.allowed, 0.0)


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


class SoftActorCritic(Agent):
    """Discrete soft actor-critic (Christodoulou, 2019, arXiv:1910.07207) over items described by vectors.

    pi(i | s) is the softmax of a network's scores: the part of them that is the same for all items drops out. Expectations over items
    are exact over the candidates, or over a catalogue of up to `exact_items`. Beyond, they are self-normalized sums over a sample: of items
    shown in the batch, and of the others, each item weighted by how many it stands for. Their bias is of the order of one over the
    sample's size, and grows as the policy comes to lie on few items that the batch did not show: most samples miss those, and entropy and
    value are then too near those of random items. What is shown is drawn from the whole catalogue in any case.
    """

    def __init__(self, config: SoftActorCriticConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(spec, seed)
        if spec.slate_size != 1:
            raise ValueError(f"agent soft_actor_critic shows one item at a time: environment.slate_size must be 1, not {spec.slate_size}")
        require_consistent(config)
        self.config = config
        self.actor = QNetwork(state_tracker, spec.device)
        # each reads for itself: of two critics on one tracker the smaller value would hardly differ from the larger
        self.critics = nn.ModuleList(QNetwork(copy.deepcopy(state_tracker), spec.device) for _ in range(2))
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.initial_temperature), device=spec.device))
        self._items: Tensor | None = None
        self._means: dict[str, Tensor | float] = {}

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    @torch.no_grad()
    def prepare_to_act(self) -> None:
        """Project all items once for the coming decisions."""
        self._items = self.actor.state_tracker.project_items()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """An item drawn from the policy, or its most probable one."""
        if self._items is None:
            self.prepare_to_act()
        preferences = self.actor(observation, self._items)
        scores = Sampler(preferences, self.generator) if explore else preferences
        return Decision(search_items(observation, scores, self.spec.num_items, 1).items)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The losses of critics, policy and temperature in turn; after the last, the target critics' move."""
        self._items = None  # the coming step changes the weights they were projected with
        observation, temperature = batch.observation, self.log_temperature.exp().detach()
        q = torch.cat([critic.of(batch.slate) for critic in _evaluate(self.critics, observation)], dim=1)
        # the mean over both is the sum of their halves, equation (3)
        yield "critic", F.mse_loss(q, self.soft_target(batch, temperature).unsqueeze(1).expand_as(q))

        support = self.support(observation, batch.slate)
        (preferences,) = _evaluate([self.actor], observation)
        probability, log_prob = support.policy(preferences)
        with torch.no_grad():
            min_q = _smallest(support, _evaluate(self.critics, observation))
        yield "actor", (probability * (temperature * log_prob - min_q)).sum(dim=1).mean()  # equation (12)

        entropy = -(probability * log_prob).sum(dim=1).detach()
        target_entropy = self.config.target_entropy * num_allowed(observation, self.spec.num_items).log()
        yield "temperature", (self.log_temperature.exp() * (entropy - target_entropy)).mean()  # equation (11)

        self.update_targets()
        self._means = {"mean_q": q.detach().mean(), "entropy": entropy.mean()}

    @torch.no_grad()
    def soft_target(self, batch: Transition, temperature: Tensor) -> Tensor:
        """y = r + gamma pi(s')^T [min_k Q'_k(s') - alpha log pi(s')], `[N]`: equations (2), (3) and (10)."""
        support = self.support(batch.next_observation, batch.slate)
        (preferences,) = _evaluate([self.actor], batch.next_observation)
        probability, log_prob = support.policy(preferences)
        min_q = _smallest(support, _evaluate(self.targets, batch.next_observation))
        soft_value = (probability * (min_q - temperature * log_prob)).sum(dim=1)
        # a truncated session would have gone on, so it bootstraps; a terminated one has no future, nor need it have candidates
        return batch.reward + self.config.gamma * soft_value.masked_fill(batch.terminated, 0.0)

    def support(self, observation: Observation, shown: Tensor) -> Support:
        """The items to sum over: the candidates where there are any, else all items of a small catalogue, else a sample, `shown` in it."""
        columns: ItemSupport
        if observation.candidates is not None:
            columns, allowed = Candidates(observation.candidates), observation.candidates != PAD
        else:
            total = self.spec.num_items
            if total <= self.config.exact_items:
                columns, size = ItemRange(0, total), total
            else:
                columns = ItemSample.draw(shown, total, self.config.sampled_items, self.generator)
                size = len(columns.numbers)
            allowed = torch.ones(len(observation.user), size, dtype=torch.bool, device=self.spec.device)
        if observation.excluded is not None:
            allowed = allowed & ~columns.contains(observation.excluded)
        return Support(columns, allowed)

    @torch.no_grad()
    def update_targets(self) -> None:
        """Move the target critics towards the critics by `target_update_rate`."""
        for target, online in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
            target.lerp_(online, self.config.target_update_rate)
        for target, online in zip(self.targets.buffers(), self.critics.buffers(), strict=True):
            target.copy_(online)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for the critics, the policy and the temperature each."""
        parts = {"critic": self.critics.parameters(), "actor": self.actor.parameters(), "temperature": [self.log_temperature]}
        return {name: torch.optim.Adam(parameters, lr=self.config.learning_rate) for name, parameters in parts.items()}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The temperature, and the last batch's mean value and entropy (in nats)."""
        return {"temperature": self.log_temperature.detach().exp(), **self._means}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self._items, self._means = None, {}


def _evaluate(networks: nn.ModuleList | list[QNetwork], observation: Observation) -> list[Evaluation]:
    return [network(observation, network.state_tracker.project_items()) for network in networks]


def _smallest(support: Support, evaluations: list[Evaluation]) -> Tensor:
    """min_k Q_k of each item, `[N, n]`: the smaller of two estimates keeps the maximum from growing on errors (Fujimoto et al., 2018)."""
    first, second = (support.scores(evaluation) for evaluation in evaluations)
    return torch.minimum(first, second)
