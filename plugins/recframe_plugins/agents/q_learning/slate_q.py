"""SlateQ: learns the values of items, and a model of clicks that combines them into the value of a slate."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents import Items, ItemScores, QNetwork, adam
from recframe_plugins.agents.q_learning.config import SlateQConfig
from recframe_plugins.agents.q_learning.dqn import DeepQAgent, mean_loss
from recframe_plugins.agents.q_learning.slates import ClickModel, SlateScores, greedy_slate, top_k_slate


class SlateQ(DeepQAgent):
    """SlateQ (Ie et al., 2019) with Q-learning targets, over slates of items described by vectors.

    Users' choice scores are hidden, so a click model is learned from clicks in addition to Q, with its own state tracker. Q(s, none), the
    value if nothing is clicked, is the network's V(s), and A(s, i) is what a click on item i adds to it.
    """

    config: SlateQConfig

    def __init__(self, config: SlateQConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        # before the Q network, which uses the tracker itself
        choice = ClickModel(copy.deepcopy(state_tracker), spec.device)
        super().__init__(config, spec, QNetwork(state_tracker, spec.device), seed=seed)
        self.choice = choice

    def project(self, items: Items) -> tuple[Tensor, Tensor]:
        """The online network's item vectors, and the click model's."""
        return items.vectors(self.online.state_tracker), items.vectors(self.choice.state_tracker)

    def greedy(self, observation: Observation, items: Items, vectors: tuple[Tensor, Tensor], k: int) -> Tensor:
        """The slate of k items of the highest value that the optimizer finds."""
        scores = SlateScores(self.online(observation, vectors[0]), self.choice(observation, vectors[1]))
        return self.best_slate(observation, scores, items, k)

    def scored(self, observation: Observation, items: Items, vectors: tuple[Tensor, Tensor]) -> ItemScores | None:
        """None: what an item adds depends on the slate."""
        return None

    def best_slate(self, observation: Observation, scores: SlateScores, items: Items, k: int) -> Tensor:
        """The slates `[N, k]` that the configured optimizer builds."""
        config = self.config
        if config.slate_optimizer == "top_k":
            return top_k_slate(observation, scores, items.num_items, k)
        return greedy_slate(observation, scores, items.num_items, k, config.shortlist)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of the users' choices, then the click model's loss; after both, the target network's move."""
        vectors, choice_vectors = self.project(items)
        chosen = choices(batch)
        values = self.online(batch.observation, vectors)
        q = torch.cat([values.of(batch.slate), values.value.unsqueeze(1)], dim=1)
        td_target = self.td_target(batch, items, vectors.detach(), choice_vectors.detach())
        # a reward tells the value of the choice that was made, not of the others
        self._td_error = (chosen * (td_target - q).abs()).sum(dim=1).detach()
        self._mean_q = (chosen * q).sum(dim=1).mean().detach()
        yield "q", mean_loss((chosen * self.td_loss(q, td_target)).sum(dim=1), batch.weight)

        log_probabilities = self.choice.log_probabilities(self.choice(batch.observation, choice_vectors).of(batch.slate))
        yield "choice", mean_loss(-(chosen * log_probabilities).sum(dim=1), batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items, vectors: Tensor, choice_vectors: Tensor) -> Tensor:
        """Targets `[N, K + 1]` of Q(s, i) for a click on each item of the slate, and, last, for no click.

        r + gamma Q'(s', A'), where A' is the best slate by Q' (the target network), or by Q with `double`. `vectors` and `choice_vectors`
        are the online network's and the click model's vectors of `items`.
        """
        next_observation = batch.next_observation
        utilities = self.choice(next_observation, choice_vectors)
        target = SlateScores(self.target(next_observation, self.target_vectors(items)), utilities)
        choosing = SlateScores(self.online(next_observation, vectors), utilities) if self.config.double else target
        next_q = target.slate_value(self.best_slate(next_observation, choosing, items, self.spec.slate_size))
        return rewards_by_choice(batch) + self.bootstrapped(batch, next_q).unsqueeze(1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network, and on the click model."""
        networks = {"q": self.online, "choice": self.choice}
        return {name: adam(network.parameters(), self.config.learning_rate) for name, network in networks.items()}


def choices(batch: Transition) -> Tensor:
    """The choice of each user among the slate's items and, last, no item, `[N, K + 1]`: rows sum to one.

    If a user clicks several items, which the model assumes not to happen, each gets an equal share.
    """
    clicks = batch.response.signals["click"]
    num_clicks = clicks.sum(dim=1, keepdim=True)
    return torch.cat([clicks / num_clicks.clamp(min=1.0), (num_clicks == 0).float()], dim=1)


def rewards_by_choice(batch: Transition) -> Tensor:
    """The reward of the step if each item were the one chosen, or, last, if none were, `[N, K + 1]`.

    It is the slate's reward without that of other clicked items: with at most one click, simply the reward.
    """
    paid = batch.response.signals["click"] * batch.item_reward
    others = paid.sum(dim=1, keepdim=True) - paid
    return batch.reward.unsqueeze(1) - F.pad(others, (0, 1))
