"""DDPG over items: the actor proposes a point among the items' vectors, and the critic chooses among the items near it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.interfaces import PAD, Agent, Decision, EnvironmentSpec, Observation, StateTracker, Transition, own_draws
from recframe.item_agents import ExactIndex, ItemIndex, Items, build_index, epsilon_greedy, nearest_items, recall
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.ddpg import DDPG, Actor, Critic, Critics

MEASURED_PROPOSALS = 64
"""Proposals on which the index's recall is measured."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors `[..., d]` scaled to length 1, in float32: the index needs it whatever the precision of the losses."""
    return F.normalize(vectors.float(), dim=-1)


class Wolpertinger(DDPG):
    """The Wolpertinger policy (Dulac-Arnold et al., 2015, arXiv:1512.07679), trained by DDPG or TD3.

    pi(s) is, of the k items nearest to the proposal mu(s), the one of the largest Q(s, item vector). Proposals, and the items' vectors as
    projected by the first critic, have length 1: where items differ in direction only, the actor cannot diverge along the critic's slope,
    and the largest inner product is the smallest distance. The critic learns the values of the items shown; the actor follows the
    critic's gradient at its proposal.

    The value of a slate is the mean of its items' values, so the best slate consists of the K items of the largest values; with K = 1 this
    is the paper's policy.

    The vectors change as they are learned. The index is built from a copy of the projection, taken every `index_interval` updates; the
    critic evaluates the items it finds with their current vectors.

    In a large catalogue, exact search is over working sets in training, and over all items without exploration. An approximate index
    covers all items in training too: only the items it finds, and those of histories and slates, are projected. Rebuilding it takes
    longer the larger the catalogue is, which is why there is `index_interval`.
    """

    def __init__(self, config: DDPGConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        actor = Actor(state_tracker, config.hidden_sizes, state_tracker.item_dim, unit)
        super().__init__(config, spec, state_tracker, seed=seed, actor=actor, uses_index=config.index == "approximate")
        if config.neighbors < spec.slate_size:
            raise ValueError(
                f"agent.neighbors ({config.neighbors}) must not be below environment.slate_size ({spec.slate_size}): "
                "the slate is chosen among the neighbors"
            )
        self.indexed = copy.deepcopy(self.critics.main.state_tracker).requires_grad_(False)
        self._index: tuple[Items, ItemIndex] | None = None
        self._proposals: Tensor | None = None
        self._recall: float | None = None
        # build it now, so that a missing faiss is reported before training
        if config.index == "approximate" or not self.working_set.in_use:
            self.index_for(self.working_set.whole)

    def project(self, items: Items) -> list[Tensor]:
        """The item vectors of the actor and of each critic."""
        return vectors_of([self.actor, *self.critics], items)

    def decide(self, observation: Observation, items: Items, vectors: list[Tensor], explore: bool) -> Decision:
        """The K items of the largest values near the proposal; in exploration the proposal is noisy, or the slate random."""
        if not explore:
            return Decision(self.greedy(observation, items, vectors, self.spec.slate_size))
        actor_vectors, *critic_vectors = vectors
        proposal = self.with_noise(self.actor(observation, actor_vectors), self.config.exploration_noise)
        near, q = self.evaluate_neighbors(self.critics, observation, proposal, items, critic_vectors)
        slate = near.gather(1, q.topk(self.spec.slate_size, dim=1).indices)
        epsilon = self.config.epsilon if self.env_steps >= self.config.random_steps else 1.0
        # without its log-probability: that of a slate under a noisy proposal is not known
        return Decision(epsilon_greedy(observation, slate, epsilon, items.num_items, self.generator).slate)

    def greedy(self, observation: Observation, items: Items, vectors: list[Tensor], k: int) -> Tensor:
        """The neighbors of the proposal by their values; after them, if k is larger, the items next nearest to it."""
        actor_vectors, *critic_vectors = vectors
        proposal = self.actor(observation, actor_vectors)
        nearest = self.nearest(observation, proposal, items, critic_vectors[0], max(k, self.config.neighbors))
        near, further = nearest.tensor_split([self.config.neighbors], dim=1)
        q = self.evaluate(self.critics, observation, near, items, critic_vectors)
        return torch.cat([near.gather(1, q.topk(min(k, near.shape[1]), dim=1).indices), further], dim=1)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """DDPG's losses; after every `index_interval` updates, the index is rebuilt."""
        yield from super().learn(batch, items)
        if self.updates % self.config.index_interval == 0:
            self.rebuild_index()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items) -> Tensor:
        """Targets `[B]`: r + gamma times the mean of the K largest min_j Q'_j(s', i) over the items i near mu'(s') + clipped noise."""
        observation = batch.next_observation
        actor_vectors, *critic_vectors = vectors_of([self.target_actor, *self.target_critics], items)
        proposal = self.target_actor(observation, actor_vectors)
        proposal = self.with_noise(proposal, self.config.target_noise, self.config.target_noise_clip)
        self._proposals = proposal[:MEASURED_PROPOSALS]
        _, q = self.evaluate_neighbors(self.target_critics, observation, proposal, items, critic_vectors)
        next_q = q.topk(self.spec.slate_size, dim=1).values.mean(dim=1)
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        return batch.reward + self.config.gamma * next_q.masked_fill(batch.terminated, 0.0)

    def q_of_shown(self, batch: Transition, items: Items) -> Tensor:
        """Each critic's mean value of the items shown, `[B, number of critics]`."""
        vectors = vectors_of(self.critics, items)
        points = unit(F.embedding(batch.slate, vectors[0]))
        return evaluate_embedded(self.critics, batch.observation, [critic.embed(points) for critic in self.critics], vectors).mean(dim=1)

    def evaluate_neighbors(
        self, critics: Critics, observation: Observation, proposal: Tensor, items: Items, vectors: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The items near each proposal `[B, d]` and the smallest of the critics' values of each, `[B, k]`; -inf where there is no item."""
        near = self.nearest(observation, proposal, items, vectors[0], self.config.neighbors)
        return near, self.evaluate(critics, observation, near, items, vectors)

    def nearest(self, observation: Observation, proposal: Tensor, items: Items, vectors: Tensor, k: int) -> Tensor:
        """The k items nearest to each proposal `[B, d]`, `[B, min(k, M)]`; see `nearest_items`."""
        index = self.index_for(items) if observation.candidates is None else None
        return nearest_items(index, vectors, observation, proposal, k)

    def evaluate(self, critics: Critics, observation: Observation, near: Tensor, items: Items, vectors: list[Tensor]) -> Tensor:
        """The smallest of the critics' values of the items `near` `[B, k]`, `[B, k]`; -inf where there is no item."""
        embedded = embed_items(critics, near.clamp(min=0), items, vectors[0])
        q = evaluate_embedded(critics, observation, embedded, vectors).amin(dim=2)
        return q.masked_fill(near == PAD, -torch.inf)

    def with_noise(self, point: Tensor, deviation: float, clip: float = torch.inf) -> Tensor:
        """`point` `[B, d]` plus Gaussian noise of about the length `deviation`, scaled back to length 1."""
        scale = point.shape[1] ** -0.5
        noise = deviation * own_draws(lambda n: torch.randn(n, point.shape[1], generator=self.generator, device=point.device), len(point))
        return unit(point + scale * noise.clamp(-clip, clip))

    @torch.no_grad()
    def index_for(self, items: Items) -> ItemIndex:
        """The index of the items that may be chosen, built from their vectors at the time `indexed` was copied."""
        if items.lookup:
            items = self.working_set.whole
        if self._index is None or self._index[0] is not items:
            kind = self.config.index if items is self.working_set.whole else "exact"
            # built in acting or in learning, whichever comes first: the result must be the same
            with torch.autocast(self.spec.device.type, enabled=False):
                vectors = unit(items.vectors(self.indexed)[: items.num_items])
                self._index = items, build_index(kind, vectors, self.config.index_probes)
        return self._index[1]

    @torch.no_grad()
    def rebuild_index(self) -> None:
        """Index the current item vectors. The recall of an approximate index is measured on the last proposals."""
        self.indexed.load_state_dict(self.critics.main.state_tracker.state_dict())
        self._index = None
        if self.config.index == "approximate" and not self.spec.num_candidates and self._proposals is not None:
            whole = self.working_set.whole
            with torch.autocast(self.spec.device.type, enabled=False):
                self._recall = self._recall_of(self.index_for(whole), ExactIndex(unit(whole.vectors(self.indexed))))

    def _recall_of(self, index: ItemIndex, exact: ExactIndex) -> float:
        k = min(self.config.neighbors, self.spec.num_items)
        assert self._proposals is not None
        return float(recall(index.search(self._proposals, k), exact.search(self._proposals, k)))

    def texts_moved(self) -> None:
        """Drop the projected items and their index: it must be the same in a run that is resumed now."""
        super().texts_moved()
        self._index = None

    @torch.no_grad()
    def diagnostics(self) -> dict[str, Tensor | float]:
        """DDPG's, and recall@k: the share of the items nearest to proposals, by their current vectors, that the index finds.

        In a large catalogue, the recall of an approximate index is that at the time it was built, with the vectors it was built from:
        projecting all items for each measurement would cost what working sets save. An exact index is over working sets, and has none.
        """
        if self.working_set.in_use:
            return super().diagnostics() | ({} if self._recall is None else {"index_recall": self._recall})
        if self._proposals is None:
            return super().diagnostics()
        whole = self.working_set.whole
        current = ExactIndex(unit(whole.vectors(self.critics.main.state_tracker)))
        return super().diagnostics() | {"index_recall": self._recall_of(self.index_for(whole), current)}

    def get_extra_state(self) -> dict[str, Any]:
        """DDPG's, and the recall that was measured when the index was built."""
        return super().get_extra_state() | {"recall": self._recall}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self._index = self._proposals = None
        self._recall = state["recall"]


def vectors_of(networks: Iterable[Actor | Critic], items: Items) -> list[Tensor]:
    """The items' vectors as projected by each network's own state tracker."""
    return [items.vectors(network.state_tracker) for network in networks]


def embed_items(critics: Critics, near: Tensor, items: Items, vectors: Tensor) -> list[Tensor]:
    """Each critic's embedding `[B, k, H]` of the items `near` `[B, k]`, whose vectors are rows of `vectors` `[R, d]`."""
    if not items.lookup and len(vectors) < near.numel():
        # fewer items than neighbors: embed each item once, however many proposals it is near to
        points = unit(vectors)
        return [F.embedding(near, critic.embed(points)) for critic in critics]
    if items.lookup:
        found = unit(critics.main.state_tracker.project_items(near.flatten())).view(*near.shape, -1)
    else:
        found = unit(F.embedding(near, vectors))
    return [critic.embed(found) for critic in critics]


def evaluate_embedded(critics: Critics, observation: Observation, embedded: list[Tensor], vectors: list[Tensor]) -> Tensor:
    """Each critic's values, with its own item vectors, of P points that it has `embedded` `[B, P, H]`: `[B, P, number of critics]`."""
    states = [critic.state_tracker(observation, own) for critic, own in zip(critics, vectors, strict=True)]
    return torch.stack([critic.value(*each) for critic, *each in zip(critics, states, embedded, strict=True)], dim=2)


def build_ddpg(config: DDPGConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> Agent:
    """`Wolpertinger` where actions are slates of items, `DDPG` where they are continuous."""
    form = Wolpertinger if spec.actions == "items" else DDPG
    return form(config, spec, state_tracker, seed=seed)
