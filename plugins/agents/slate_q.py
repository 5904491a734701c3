"""SlateQ: the value of a slate from the values of its items and from which of them users click."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Observation, StateTracker, Transition
from recframe_plugins.agents.exploration import epsilon_greedy
from recframe_plugins.agents.q_learning import QLearning, mean_loss
from recframe_plugins.agents.q_learning_config import SlateQConfig
from recframe_plugins.agents.q_network import QNetwork
from recframe_plugins.agents.slates import ChoiceModel, SlateScores, greedy_slate, top_k_slate


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

    @torch.no_grad()
    def prepare_to_act(self) -> None:
        """Project all items once for the coming decisions."""
        self._items = self.online.state_tracker.project_items()
        self._choice_items = self.choice.state_tracker.project_items()

    @torch.no_grad()
    def act(self, observation: Observation, explore: bool) -> Decision:
        """The slate of the highest value, as far as the optimizer finds it, or one of random items."""
        if self._items is None:
            self.prepare_to_act()
        scores = SlateScores(self.online(observation, self._items), self.choice(observation, self._choice_items))
        greedy = self.best_slate(observation, scores)
        return epsilon_greedy(observation, greedy, self.epsilon, self.spec.num_items, self.generator) if explore else Decision(greedy)

    def best_slate(self, observation: Observation, scores: SlateScores) -> Tensor:
        """The slates `[N, K]` that the configured optimizer builds."""
        spec, config = self.spec, self.config
        if config.slate_optimizer == "top_k":
            return top_k_slate(observation, scores, spec.num_items, spec.slate_size)
        return greedy_slate(observation, scores, spec.num_items, spec.slate_size, config.shortlist)

    def losses(self, batch: Transition) -> Iterator[tuple[str, Tensor]]:
        """The temporal-difference loss of what was chosen; then the choice model's; then the target network's move."""
        self._items = None  # the coming steps change the weights they were projected with
        items, choice_items = self.online.state_tracker.project_items(), self.choice.state_tracker.project_items()
        chosen = choices(batch)
        evaluation = self.online(batch.observation, items)
        q = torch.cat([evaluation.of(batch.slate), evaluation.value.unsqueeze(1)], dim=1)
        td_target = self.td_target(batch, items.detach(), choice_items.detach())
        # only what was chosen says anything of its value
        self._td_error = (chosen * (td_target - q)).sum(dim=1).detach()
        self._mean_q = (chosen * q).sum(dim=1).mean().detach()
        yield "q", mean_loss((chosen * self.elementwise_loss(q, td_target)).sum(dim=1), batch.weight)

        log_probabilities = self.choice.log_probabilities(self.choice(batch.observation, choice_items).of(batch.slate))
        yield "choice", mean_loss(-(chosen * log_probabilities).sum(dim=1), batch.weight)
        self.count_update()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Tensor, choice_items: Tensor) -> Tensor:
        """Targets `[N, K + 1]` of Q(s, i) for each item of the slate, if it was clicked, and for no click.

        r + gamma Q'(s', A'), with A' the best slate by Q' (the target network), or by Q with `double`. `items` and `choice_items` are the
        online network's and the choice model's item vectors `[M, d]`.
        """
        following = batch.next_observation
        utilities = self.choice(following, choice_items)
        target = SlateScores(self.target(following, self.target_item_vectors()), utilities)
        choosing = SlateScores(self.online(following, items), utilities) if self.config.double else target
        next_q = target.slate_value(self.best_slate(following, choosing))
        return rewards_by_choice(batch) + self.bootstrapped(batch, next_q).unsqueeze(1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the online network, and on the choice model."""
        networks = {"q": self.online, "choice": self.choice}
        return {name: torch.optim.Adam(network.parameters(), lr=self.config.learning_rate) for name, network in networks.items()}

    def _forget(self) -> None:
        super()._forget()
        self._choice_items: Tensor | None = None


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
