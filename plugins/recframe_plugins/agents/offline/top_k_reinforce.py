"""Top-K off-policy REINFORCE: a policy that learns from another policy's log, with an estimate of that policy (Chen et al., 2019)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Replay, StateTracker, Transition
from recframe.item_agents import ItemAgent, ItemPolicy, Items, PolicyScores, adam, draw_slate, log_probability, search_items
from recframe_plugins.agents.offline.config import TopKReinforceConfig
from recframe_plugins.agents.q_learning.dqn import mean_loss, require_single_items


class TopKReinforce(ItemAgent):
    """REINFORCE with off-policy and top-K correction (Chen et al., 2019, arXiv:1812.02353), equations (3), (5), (6) and (7).

        loss = - w(s, a) lambda_K(s, a) R log pi(a | s)
        w = min(pi(a | s) / beta(a | s), c)        lambda_K = K (1 - pi(a | s))^(K - 1)

    R is the discounted sum of the next `horizon` rewards. beta, the logging policy, is estimated by a head of its own on the same state, by
    the cross-entropy of the items taken; its gradient does not reach the state tracker (section 4.2). K is the number of items that will be
    shown together: with K = 1 the policy puts all weight on the best item; a larger K lets it spread over K good ones.

    Rewards should be 0 where nothing good happened: as any REINFORCE without a baseline, it makes every item with a positive return more
    probable.
    """

    def __init__(self, config: TopKReinforceConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        require_single_items("top_k_reinforce", spec)
        super().__init__(config, spec, seed=seed)
        self.config = config
        self.state_tracker = state_tracker
        dims, prior_start = (state_tracker.state_dim, state_tracker.item_dim), spec.prior_weight
        self.policy = ItemPolicy(*dims, config.temperature, spec.device, prior_start)
        self.logging_policy = ItemPolicy(*dims, 1.0, spec.device, prior_start)
        self._means: dict[str, Tensor] = {}

    @property
    def experience(self) -> Experience:
        """Transitions with the return of `horizon` steps."""
        config = self.config
        return Replay(
            config.replay_capacity,
            config.batch_size,
            config.learning_starts,
            config.updates_per_chunk,
            n_step=config.horizon,
            gamma=config.gamma,
        )

    def project(self, items: Items) -> Tensor:
        """The items' vectors."""
        return items.vectors(self.state_tracker)

    def scores(self, observation: Observation, vectors: Tensor, num_items: int) -> PolicyScores:
        """The scores of which pi is the softmax."""
        scores: PolicyScores = self.policy(self.state_tracker(observation, vectors), observation, vectors[:num_items])
        return scores

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """The most probable item, or, in exploration, one drawn from pi."""
        if explore:
            return draw_slate(self.scores(observation, vectors, items.num_items), 1, self.generator)
        return Decision(self.greedy(observation, items, vectors, 1))

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The most probable items."""
        return search_items(observation, self.scores(observation, vectors, items.num_items), items.num_items, k).items

    def items_to_learn(self, batch: Transition) -> tuple[Items, Transition]:
        """A working set with all items taken."""
        return self.working_set.for_imitation(batch, self.generator)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The policy's loss plus the cross-entropy of the estimated logging policy."""
        observation, vectors = batch.observation, self.project(items)
        state, choosable = self.state_tracker(observation, vectors), vectors[: items.num_items]
        log_pi = log_probability(self.policy(state, observation, choosable), batch.slate, items).squeeze(1)
        # the estimate must not shape the state that the policy learns
        log_beta = log_probability(self.logging_policy(state.detach(), observation, choosable.detach()), batch.slate, items).squeeze(1)
        weight = self.importance(log_pi.detach(), log_beta.detach())
        policy_loss = -weight * top_k_multiplier(log_pi.detach().exp(), self.config.k) * batch.reward * log_pi
        self._means = {
            "importance": weight.mean(),
            "capped": (log_pi - log_beta > math.log(self.config.weight_cap)).float().mean().detach(),
            "logging_cross_entropy": -log_beta.detach().mean(),
        }
        yield "policy", mean_loss(policy_loss - log_beta, batch.weight)

    def importance(self, log_pi: Tensor, log_beta: Tensor) -> Tensor:
        """w `[B]`, capped; with `normalize_weights`, divided by its mean over the batch (the paper's NIS)."""
        weight = (log_pi - log_beta).clamp(max=math.log(self.config.weight_cap)).exp()
        return weight / weight.mean().clamp(min=1e-8) if self.config.normalize_weights else weight

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the tracker and both policies."""
        return {"policy": adam(self.parameters(), self.config.learning_rate)}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The mean importance weight, the share of weights that were capped, and the cross-entropy of the estimated logging policy."""
        return dict(self._means)


def top_k_multiplier(pi: Tensor, k: int) -> Tensor:
    """lambda_K = K (1 - pi)^(K - 1), the derivative of the probability that an item is among K drawn with replacement, equation (6)."""
    return k * (1 - pi) ** (k - 1)
