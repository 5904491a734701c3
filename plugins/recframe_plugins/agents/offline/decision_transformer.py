"""Decision transformer: a causal transformer over returns, states and items that is asked for a high return (Chen et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Decision, EnvironmentSpec, Experience, Observation, SequenceBatch, Sequences, StateTracker
from recframe.item_agents import ItemAgent, Items, PolicyScores, adam, draw_slate, search_items
from recframe_plugins.agents.offline.config import DecisionTransformerConfig
from recframe_plugins.agents.offline.return_tokens import ReturnStateActionModel
from recframe_plugins.agents.offline.returns import RecentReturns, sums_ahead
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
    history until then, and the item taken; at s_t it predicts a_t by cross-entropy. Returns count the next `horizon` interactions, so that
    they are known in a window of a long sequence too. To act, it is told that the target return is still to come.

    The target is `target_return`, or the `target_quantile` of the returns seen in learning. The rewards of the history, of which earlier
    returns consist, are computed from its feedback (`RewardOfFeedback`), and the target is spread evenly over the steps to come.

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
        self.returns = RecentReturns(RECENT, spec.device)
        self.reward = RewardOfFeedback(len(spec.signals), spec.device)

    @property
    def experience(self) -> Experience:
        """Sequences of a history, the next item, and the rewards of the rest of its horizon."""
        return Sequences(self.config.batch_size, self.spec.history_length + self.config.horizon - 1)

    @property
    def target_return(self) -> Tensor:
        """The return that is asked for, a scalar."""
        target = self.config.target_return
        return self.returns.quantile(self.config.target_quantile) if target is None else self.returns.values.new_tensor(target)

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
        """The scores of the next item given that the target return is to come."""
        query = self.model(observation, self.returns_to_come(observation, acting.coefficients), acting.vectors)[:, -1]
        nothing = observation.history_items[:, :0]
        return PolicyScores(query, query.new_zeros(len(query)), nothing, acting.vectors[: items.num_items], observation)

    def returns_to_come(self, observation: Observation, coefficients: Tensor) -> Tensor:
        """The mean reward of the `horizon` steps after each place of the history, `[N, H]`, if the target is reached."""
        horizon = self.config.horizon
        past = rewards_of(observation.history_feedback, coefficients) * (observation.history_items != PAD)
        ahead = (self.target_return / horizon).expand(len(past), horizon)
        return sums_ahead(torch.cat([past, ahead], dim=1), horizon)[:, 1:] / horizon

    def items_to_learn(self, batch: Any) -> tuple[Items, Any]:
        """Items of which all those of a `SequenceBatch` may be chosen."""
        return self.working_set.for_sequences(batch, self.generator)

    def learn(self, batch: Any, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The mean cross-entropy of the items of a `SequenceBatch`, given what was known before and the returns that followed."""
        length, horizon = self.spec.history_length, self.config.horizon
        task = ReturnTask.of(batch, length, horizon)
        learns = (task.taken != PAD) & (task.observation.history_items != PAD)
        self.returns.add(task.returns[learns])
        known = batch.item != PAD
        self.reward.learn(batch.feedback[known], batch.reward[known])

        vectors = items.vectors(self.model.state_tracker)
        query = self.model(task.observation, task.returns / horizon, vectors)[learns]
        logits = query @ vectors[: items.num_items].T
        weights = items.log_weights
        yield "model", F.cross_entropy(logits if weights is None else logits + weights, task.taken[learns])

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the whole model."""
        return {"model": adam(self.model.parameters(), self.config.learning_rate)}

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The return that is asked for."""
        return {"target_return": self.target_return}


class ReturnTask(NamedTuple):
    """H places to read, the item taken after each, `taken` `[B, H]`, and the sum of the rewards from it on, `returns` `[B, H]`."""

    observation: Observation
    taken: Tensor
    returns: Tensor

    @classmethod
    def of(cls, batch: SequenceBatch, length: int, horizon: int) -> ReturnTask:
        """The task of a batch: the end of terminated sequences, and of others the part whose rewards are known up to the horizon.

        Sequences that are shorter than a full window are terminated in it.
        """
        missing = max(length + 1 - batch.item.shape[1], 0)
        item, feedback = F.pad(batch.item, (missing, 0), value=PAD), F.pad(batch.feedback, (0, 0, missing, 0))
        # no reward follows the end
        totals = sums_ahead(F.pad(batch.reward, (missing, horizon - 1)), horizon)
        first = torch.where(batch.terminated, item.shape[1] - length - 1, 0).unsqueeze(1)
        places = first + torch.arange(length + 1, device=item.device)
        item, returns = item.gather(1, places), totals.gather(1, places)
        feedback = feedback.gather(1, places.unsqueeze(2).expand(-1, -1, feedback.shape[2]))
        observation = Observation(
            user=batch.user, history_items=item[:, :-1], history_feedback=feedback[:, :-1], batch_size=[len(batch.user)]
        )
        return cls(observation, item[:, 1:], returns[:, 1:])
