"""A sequence model: predicts the next item at every place of a sequence, and recommends the most probable items.

With a causal state tracker all places are computed in one pass: SASRec, GRU4Rec, Caser. With masked items and a tracker that reads in both
directions it is BERT4Rec.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Decision, EnvironmentSpec, Experience, Observation, Sequences, StateTracker
from recframe.item_agents import (
    ItemAgent,
    Items,
    NegativeSampler,
    PolicyScores,
    adam,
    draw_slate,
    gbce,
    gbce_beta,
    renumbered,
    sampled_cross_entropy,
    search_items,
)
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig
from recframe_plugins.agents.sequence_models.tasks import Task, cloze_task, next_item_task


class SequenceModel(ItemAgent):
    """P(i | s) = exp z_i / sum_j exp z_j with z_i = <W s + w, v_i>, for the state s of the items before.

    Learned by the cross-entropy of the next item at all places of a sequence, estimated from negatives where `loss` is `sampled`, or by
    gBCE (`recframe.item_agents.next_item`). It recommends the items of the highest z; in exploration it draws them from P.

    With `masked_share`, items of a sequence are replaced by a learned vector and predicted from those around them (BERT4Rec; Sun et al.,
    2019). To recommend, the learned vector is appended to the history.

    Raises
    ------
    ValueError: observations have a context or features, which sequences lack; or items are masked, but the state tracker does not read in
        both directions, or no item is left to read.
    """

    def __init__(self, config: SequenceModelConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        if spec.has_context or spec.num_features:
            raise ValueError(
                "agent sequence_model learns from sequences of items and feedback alone: observations must have no context and no features"
            )
        if config.masked_share and not state_tracker.bidirectional:
            raise ValueError(
                "agent.masked_share needs a state tracker that reads in both directions: set state_tracker=attention "
                "state_tracker.bidirectional=true, or agent.masked_share=0"
            )
        if config.masked_share and spec.history_length < 2:
            raise ValueError("agent.masked_share leaves nothing to read of a history of one item: set state_tracker.history_length >= 2")
        super().__init__(config, spec, seed=seed)
        self.config = config
        self.state_tracker = state_tracker
        dim = state_tracker.item_dim
        self.query = nn.Linear(state_tracker.state_dim, dim, device=spec.device)
        state_tracker.start_query(self.query, dim**-0.5)
        self.mask = nn.Parameter(torch.randn(1, dim, device=spec.device) / dim**0.5) if config.masked_share else None
        self.negatives = NegativeSampler(state_tracker.data.catalog.popularity, config.negatives_popularity)
        self.beta = gbce_beta(config.negatives, spec.num_items, config.calibration)

    @property
    def experience(self) -> Experience:
        """Sequences of as many items as a history has and the next one; where items are masked, the targets are among these."""
        history = self.spec.history_length
        length = history - 1 if self.config.masked_share else self.config.sequence_length or history
        return Sequences(self.config.batch_size, length)

    def project(self, items: Items) -> Tensor:
        """The items' vectors."""
        return items.vectors(self.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Tensor, explore: bool) -> Decision:
        """The most probable items, or, in exploration, items drawn by their probabilities."""
        if explore:
            return draw_slate(self.scores(observation, vectors, items.num_items), self.spec.slate_size, self.generator)
        return Decision(self.greedy(observation, items, vectors, self.spec.slate_size))

    def greedy(self, observation: Observation, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The most probable items."""
        scores = self.scores(observation, vectors, items.num_items)
        return search_items(observation, scores, items.num_items, k, candidates_only=True).items

    def scored(self, observation: Observation, items: Items, vectors: Tensor) -> PolicyScores:
        """The logits of the items."""
        return self.scores(observation, vectors, items.num_items)

    def scores(self, observation: Observation, vectors: Tensor, num_items: int) -> PolicyScores:
        """z of the items to come, given item vectors `[R, d]`, of which the first `num_items` may be chosen."""
        read = observation
        if self.mask is not None:
            # an item that is not known yet comes next
            read = observation.clone(recurse=False)
            read.history_items = F.pad(observation.history_items, (0, 1), value=vectors.shape[0])
            read.history_feedback = F.pad(observation.history_feedback, (0, 0, 0, 1))
        state = self.state_tracker(read, self.readable(vectors))
        nothing = observation.history_items[:, :0]
        return PolicyScores(self.query(state), state.new_zeros(state.shape[0]), nothing, vectors[:num_items], observation)

    def readable(self, vectors: Tensor) -> Tensor:
        """The vectors `[R, d]`, followed by that of a masked item, if there are any."""
        return vectors if self.mask is None else torch.cat([vectors, self.mask])

    def items_to_learn(self, batch: Any) -> tuple[Items, Any]:
        """A batch in the catalogue's numbers: a loss that needs fewer items draws negatives."""
        return self.working_set.whole, batch

    def learn(self, batch: Any, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The mean loss of all places of a `SequenceBatch` that have a target."""
        share = self.config.masked_share
        yield "model", self.loss(cloze_task(batch, share, self.generator) if share else next_item_task(batch))

    def loss(self, task: Task) -> Tensor:
        """The mean loss of a task; over the whole catalogue, or over negatives, for which only the items that occur are projected."""
        if self.config.loss == "full":
            vectors = self.state_tracker.project_items()
            query, taken = self.predictions(task, vectors)
            return F.cross_entropy(query @ vectors.T, taken)
        drawn, log_weights = self.negatives.draw(self.config.negatives, self.generator)
        rows, (history, target, drawn) = renumbered([task.observation.history_items, task.target, drawn])
        vectors = self.state_tracker.project_items(rows)
        observation = task.observation.clone(recurse=False)
        observation.history_items = history
        query, taken = self.predictions(task._replace(observation=observation, target=target), vectors)
        of_taken, of_drawn, absent = F.embedding(taken, vectors), F.embedding(drawn, vectors), taken.unsqueeze(1) == drawn
        if self.config.loss == "gbce":
            return gbce(query, of_taken, of_drawn, self.beta, absent).mean()
        return sampled_cross_entropy(query, of_taken, of_drawn, log_weights, absent).mean()

    def predictions(self, task: Task, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The queries `[P, d]` of all places with a target, and the targets `[P]`."""
        observation, places = task.observation, self.state_tracker.states
        if task.masked is not None:
            observation = observation.clone(recurse=False)
            observation.history_items = observation.history_items.masked_fill(task.masked, len(vectors))
            places = self.state_tracker.states_in_context
        states = places(observation, self.readable(vectors))
        predicts = task.target != PAD
        return self.query(states[predicts]), task.target[predicts]

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam on the whole model."""
        return {"model": adam(self.parameters(), self.config.learning_rate)}
