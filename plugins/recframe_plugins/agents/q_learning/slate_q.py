"""SlateQ: the value of a slate from the values of its items and from which of them users click."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents.exploration import epsilon_greedy
from recframe.item_agents.optimization import adam
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.q_learning.config import SlateQConfig
from recframe_plugins.agents.q_learning.deep_q_learning import QLearning, mean_loss
from recframe_plugins.agents.q_learning.q_network import QNetwork
from recframe_plugins.agents.q_learning.slates import ChoiceModel, SlateScores, greedy_slate, top_k_slate


class SlateQ(QLearning):
    """SlateQ (Ie et al., 2019) with Q-learning targets, over slates of items described by vectors.

    Users' choice scores are hidden, so the choice model is learned beside Q, from clicks, with a tracker of its own. Q(s, none), what
    is to come if nothing is clicked, is the network's V(s): an item's A(s, i) is what a click on it is worth beyond that.
    """

    config: SlateQConfig

    def __init__(self, config: SlateQConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        # before the Q network, which takes the tracker itself
        choice = ChoiceModel(copy.deepcopy(state_tracker), spec.device)
        super().__init__(config, spec, QNetwork(state_tracker, spec.device), seed=seed)
        self.choice = choice

    def project(self, items: Items) -> tuple[Tensor, Tensor]:
        """The online network's item vectors, and the choice model's."""
        return items.vectors(self.online.state_tracker), items.vectors(self.choice.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: tuple[Tensor, Tensor], explore: bool) -> Decision:
        """The slate of the highest value, as far as the optimizer finds it, or one of random items."""
        scores = SlateScores(self.online(observation, vectors[0]), self.choice(observation, vectors[1]))
        greedy = self.best_slate(observation, scores, items)
        return epsilon_greedy(observation, greedy, self.epsilon, items.count, self.generator) if explore else Decision(greedy)

    def best_slate(self, observation: Observation, scores: SlateScores, items: Items) -> Tensor:
        """The slates `[N, K]` that the configured optimizer builds."""
        k, config = self.spec.slate_size, self.config
        if config.slate_optimizer == "top_k":
            return top_k_slate(observation, scores, items.count, k)
        return greedy_slate(observation, scores, items.count, k, config.shortlist)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of what was chosen; then the choice model's; then the target network's move."""
        vectors, choice_vectors = self.project(items)
        chosen = choices(batch)
        evaluation = self.online(batch.observation, vectors)
        q = torch.cat([evaluation.of(batch.slate), evaluation.value.unsqueeze(1)], dim=1)
        td_target = self.td_target(batch, items, vectors.detach(), choice_vectors.detach())
        # only what was chosen says anything of its value
        self._td_error = (chosen * (td_target - q).abs()).sum(dim=1).detach()
        self._mean_q = (chosen * q).sum(dim=1).mean().detach()
        yield "q", mean_loss((chosen * self.elementwise_loss(q, td_target)).sum(dim=1), batch.weight)

        log_probabilities = self.choice.log_probabilities(self.choice(batch.observation, choice_vectors).of(batch.slate))
        yield "choice", mean_loss(-(chosen * log_probabilities).sum(dim=1), batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items, vectors: Tensor, choice_vectors: Tensor) -> Tensor:
        """Targets `[N, K + 1]` of Q(s, i) for each item of the slate, if it was clicked, and for no click.

        r + gamma Q'(s', A'), with A' the best slate by Q' (the target network), or by Q with `double`. `vectors` and `choice_vectors` are
        those of `items` as the online network and the choice model have them.
        """
        following = batch.next_observation
        utilities = self.choice(following, choice_vectors)
        target = SlateScores(self.target(following, self.target_vectors(items)), utilities)
        choosing = SlateScores(self.online(following, vectors), utilities) if self.config.double else target
        next_q = target.slate_value(self.best_slate(following, choosing, items))
        return rewards_by_choice(batch) + self.bootstrapped(batch, next_q).unsqueeze(1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network, and on the choice model."""
        networks = {"q": self.online, "choice": self.choice}
        return {name: adam(network.parameters(), self.config.learning_rate) for name, network in networks.items()}


def choices(batch: Transition) -> Tensor:
    """Which item of the slate was chosen, and, last, whether none was, `[N, K + 1]`: rows that sum up to one.

    Where a user clicks several items, against the model's assumption, each is chosen in part.
    """
    clicks = batch.response.signals["click"]
    count = clicks.sum(dim=1, keepdim=True)
    return torch.cat([clicks / count.clamp(min=1.0), (count == 0).float()], dim=1)


def rewards_by_choice(batch: Transition) -> Tensor:
    """What the step earned if this item was the one chosen, or, last, if none was, `[N, K + 1]`.

    All that the slate earned, but not what other clicked items did: with one click at most, simply the reward.
    """
    paid = batch.response.signals["click"] * batch.item_reward
    others = paid.sum(dim=1, keepdim=True) - paid
    return batch.reward.unsqueeze(1) - F.pad(others, (0, 1))
