"""TD3+BC over items: TD3 whose actor is also pulled towards the items taken (Fujimoto & Gu, 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import Transition
from recframe.item_agents import Items
from recframe_plugins.agents.ddpg.wolpertinger import Wolpertinger, unit, vectors_of
from recframe_plugins.agents.offline.config import TD3BCConfig


class TD3BC(Wolpertinger):
    """TD3+BC (Fujimoto & Gu, 2021, arXiv:2106.06860), equations (3) and (5), with the proposals of Wolpertinger as actions.

        actor loss = - lambda Q(s, mu(s)) + |mu(s) - v_a|^2,  lambda = alpha / mean |Q(s, mu(s))|

    v_a is the vector of the item taken, of length 1 like the proposals, as the first critic projects it; it is a target without a
    gradient. For a slate, the distances of its items are averaged. A larger alpha trusts the critic more, a smaller one imitates more.
    Everything else is TD3 over items: two critics, a delayed actor, and noise on the target's proposal.
    """

    config: TD3BCConfig

    def actor_loss(self, batch: Transition, items: Items) -> Tensor:
        """The weighted value of the proposal, and its squared distance from the item taken."""
        observation, critic = batch.observation, self.critics.main
        with torch.no_grad():
            (vectors,) = vectors_of([critic], items)
            state = critic.state_tracker(observation, vectors)
            taken = unit(F.embedding(batch.slate, vectors))
        point = self.actor(observation, items.vectors(self.actor.state_tracker))
        value = critic(state, point.unsqueeze(1)).squeeze(1)
        scale = self.config.alpha / value.detach().abs().mean().clamp(min=1e-8)
        loss: Tensor = -scale * value.mean() + (point.unsqueeze(1) - taken).square().sum(dim=2).mean()
        return loss
