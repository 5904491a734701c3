"""Decision transformer: a causal transformer over returns, states and items that is asked for a high return (Chen et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Decision, EnvironmentSpec, Experience, Observation, Sequences, StateTracker
from recframe.item_agents import ItemAgent, Items, PolicyScores, adam, draw_slate, search_items
from recframe_plugins.agents.offline.config import DecisionTransformerConfig
from recframe_plugins.agents.offline.return_task import ReturnTask, returns_asked_for
from recframe_plugins.agents.offline.return_tokens import ReturnStateActionModel
from recframe_plugins.agents.offline.returns import RecentReturns, ReturnScale
from recframe_plugins.agents.offline.reward_of_feedback import RewardOfFeedback, rewards_of

RECENT = 10_000
"""Returns of which the target's quantile is taken."""


class Acting(NamedTuple):
    """The items' vectors `[M, d]`, and the coefficients `[F + 1]` of the reward."""

    vectors: Tensor
    coefficients: Tensor


class DecisionTransformer(ItemAgent):
    """Return-conditioned imitation (Chen et al., 2021, arXiv:2106.01345, algorithm 1) on the states of any tracker.

    A causal transformer reads R_1, s_1, a_1, R_2, s_2, a_2, ...: the return from a moment on, the state, which is the tracker's of the
    history until then, and the item taken; at s_t it predicts a_t by cross-entropy. A return counts the rewards up to the end of the
    sequence, or, of one that goes on, up to `horizon` interactions after the last place that is read.

    To act, it is told that R_1 is the target return, and that R_{t+1} = R_t - r_t: the target minus the rewards received. These are
    computed from the history's feedback (`RewardOfFeedback`). Of a history as long as the tracker reads, R_1 is that after its oldest item,
    as in training: rewards before it are not known. The target is `target_return`, or the `target_quantile` of the returns R_1 seen in
    learning. The transformer reads returns in units of their standard deviation, around their mean.

    Raises
    ------
    ValueError: observations have a context or features, which sequences lack.
    """

    def __init__(self, config: DecisionTransformerConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        if spec.has_context or spec.num_features:
            raise ValueError(
                "agent decision_transformer learns from sequences of items and feedback alone: observations must have no context and no "
                "features"
            )
        super().__init__(config, spec, seed=seed)
        self.config = config
        self.model = ReturnStateActionModel(state_tracker, spec.history_length, config.width, config.layers, config.heads)
        self.scale = ReturnScale(spec.device)
        self.first_returns = RecentReturns(RECENT, spec.device)
        self.reward = RewardOfFeedback(len(spec.signals), spec.device)

    @property
    def experience(self) -> Experience:
        """Windows of a history and of the `horizon` interactions after it."""
        return Sequences(self.config.batch_size, self.spec.history_length + self.config.horizon - 1)

    @property
    def target_return(self) -> Tensor:
        """The return that is asked for at the first place of a history, a scalar."""
        target = self.config.target_return
        known = self.first_returns
        return known.quantile(self.config.target_quantile) if target is None else known.values.new_tensor(target)

    def project(self, items: Items) -> Acting:
        """The items' vectors, and the reward's coefficients."""
        return Acting(items.vectors(self.model.state_tracker), self.reward.coefficients())

    def decide(self, observation: Observation, items: Items, vectors: Acting, explore: bool) -> Decision:
        """The most probable items given the target return, or, in exploration, items drawn by their probabilities."""
        if explore:
            return draw_slate(self.scores(observation, items, vectors), self.spec.slate_size, self.generator)
        return Decision(self.greedy(observation, items, vectors, self.spec.slate_size))

    def greedy(self, observation: Observation, items: Items, vectors: Acting, k: int) -> Tensor:
        """The most probable items given the target return."""
        scores = self.scores(observation, items, vectors)
        return search_items(observation, scores, items.num_items, k, candidates_only=True).items

    def scores(self, observation: Observation, items: Items, acting: Acting) -> PolicyScores:
        """The scores of the next item given the return that is asked for."""
        query = self.queries(observation, self.returns_to_come(observation, acting.coefficients), acting.vectors)[:, -1]
        nothing = observation.history_items[:, :0]
        return PolicyScores(query, query.new_zeros(len(query)), nothing, acting.vectors[: items.num_items], observation)

    def queries(self, observation: Observation, returns: Tensor, vectors: Tensor) -> Tensor:
        """The queries `[N, H, d]` at all places, given the returns after them `[N, H]` and item vectors `[M, d]`."""
        queries: Tensor = self.model(observation, self.scale.standardized(returns), vectors)
        return queries

    def returns_to_come(self, observation: Observation, coefficients: Tensor) -> Tensor:
        """The return after each place of the history, `[N, H]`, if the target is reached."""
        received = rewards_of(observation.history_feedback, coefficients) * (observation.history_items != PAD)
        return returns_asked_for(self.target_return, received)

    def items_to_learn(self, batch: Any) -> tuple[Items, Any]:
        """Items of which all those of a `SequenceBatch` may be chosen."""
        return self.working_set.for_sequences(batch, self.generator)

    def learn(self, batch: Any, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The mean cross-entropy of the items of a `SequenceBatch`, given what was known before and the returns from it on."""
        task = ReturnTask.of(batch, self.spec.history_length, self.config.horizon, self.generator)
        learns = task.taken != PAD
        self.scale.add(task.returns[learns])
        self.first_returns.add(task.first_returns)
        known = batch.item != PAD
        self.reward.learn(batch.feedback[known], batch.reward[known])

        vectors = items.vectors(self.model.state_tracker)
        query = self.queries(task.observation, task.returns, vectors)[learns]
        logits = query @ vectors[: items.num_items].T
        weights = items.log_weights
        yield "model", F.cross_entropy(logits if weights is None else logits + weights, task.taken[learns])

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the whole model."""
        return {"model": adam(self.model.parameters(), self.config.learning_rate)}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The return that is asked for."""
        return {"target_return": self.target_return}
