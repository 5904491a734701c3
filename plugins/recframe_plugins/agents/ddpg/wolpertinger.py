"""DDPG over items: the actor says where among the items' vectors to look, the critic chooses among those near there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Agent, Decision, EnvironmentSpec, Observation, StateTracker, Transition
from recframe.item_agents.exploration import epsilon_greedy
from recframe.item_agents.index import ExactIndex, ItemIndex, build_index, nearest_items, recall
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.ddpg.config import DDPGConfig
from recframe_plugins.agents.ddpg.ddpg import DDPG

MEASURED_POINTS = 64
"""Proposals over which the index's recall is measured."""


def unit(vectors: Tensor) -> Tensor:
    """Vectors `[..., d]` scaled to length 1, in single precision: an index is built and searched in it whatever the losses' precision."""
    return F.normalize(vectors.float(), dim=-1)


class Wolpertinger(DDPG):
    """The Wolpertinger policy (Dulac-Arnold et al., 2015, arXiv:1512.07679), trained by DDPG or TD3.

    pi(s) is, of the k items nearest to the proposal mu(s), the one of the largest Q(s, item vector). Proposals and the items' vectors as
    the first critic projects them have length 1: where items differ in direction only, the actor cannot run away along a critic's slope,
    and the largest inner product is the smallest distance. The critic learns the value of what was shown, the actor climbs the critic's
    slope at its proposal.

    A slate is worth the mean of its items' values, so the best one is that of the K items of the largest; with K = 1 this is the paper.

    The vectors move as they are learned. The index is built on a copy of their projection, taken every `index_interval` updates; the
    critic judges what it finds by the vectors of the moment.

    In a large catalogue, exact search is over working sets in training, and over all items in what is shown without exploring. An
    approximate index is of all items in training, too: what it finds is projected, nothing else is but what histories and slates hold.
    Building it anew takes the longer the larger the catalogue: that is what `index_interval` is for.
    """

    squash = staticmethod(unit)

    def __init__(self, config: DDPGConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, state_tracker, seed=seed)
        if config.neighbors < spec.slate_size:
            raise ValueError(
                f"agent.neighbors ({config.neighbors}) must not be below environment.slate_size ({spec.slate_size}): "
                "a slate is chosen among the neighbors"
            )
        self.indexed = copy.deepcopy(self.critics[0].state_tracker).requires_grad_(False)
        self._index: tuple[Items, ItemIndex] | None = None
        self._proposals: Tensor | None = None
        self._recall: float | None = None
        # a missing faiss is said before training, not at the first evaluation
        if config.index == "approximate" or not self.working_set.in_use:
            self.index_of(self.working_set.whole)

    @torch.no_grad()
    def index_of(self, items: Items) -> ItemIndex:
        """The index of the items that may be chosen, of their vectors as they were when `indexed` was copied."""
        if items.lookup:
            items = self.working_set.whole
        if self._index is None or self._index[0] is not items:
            kind = self.config.index if items is self.working_set.whole else "exact"
            # built in acting or in learning, whichever comes first: it must come out the same
            with torch.autocast(self.spec.device.type, enabled=False):
                vectors = unit(items.vectors(self.indexed)[: items.count])
                self._index = items, build_index(kind, vectors, self.config.index_probes)
        return self._index[1]

    @torch.no_grad()
    def index_anew(self) -> None:
        """Index the items' vectors as they are now. What an approximate index finds of them is measured on the last proposals."""
        self.indexed.load_state_dict(self.critics[0].state_tracker.state_dict())
        self._index = None
        if self.config.index == "approximate" and not self.spec.num_candidates and self._proposals is not None:
            whole = self.working_set.whole
            with torch.autocast(self.spec.device.type, enabled=False):
                self._recall = self._recall_of(self.index_of(whole), ExactIndex(unit(whole.vectors(self.indexed))))

    def _recall_of(self, index: ItemIndex, exact: ExactIndex) -> float:
        k = min(self.config.neighbors, self.spec.num_items)
        assert self._proposals is not None
        return float(recall(index.search(self._proposals, k), exact.search(self._proposals, k)))

    def decide(self, observation: Observation, items: Items, vectors: list[Tensor], explore: bool) -> Decision:
        """The K items of the largest value near the proposal; in exploring the proposal is noisy, and now and then the slate random."""
        actor_vectors, *critic_vectors = vectors
        point = self.actor(observation, actor_vectors)
        if explore:
            point = self.perturbed(point, self.config.exploration_noise)
        near, q = self.judged(self.critics, observation, point, items, critic_vectors)
        slate = near.gather(1, q.topk(self.spec.slate_size, dim=1).indices)
        if not explore:
            return Decision(slate)
        epsilon = self.config.epsilon if self.env_steps >= self.config.random_steps else 1.0
        # how likely a slate is under a noisy proposal is not known
        return Decision(epsilon_greedy(observation, slate, epsilon, items.count, self.generator).slate)

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """DDPG's losses; the items are indexed anew after every `index_interval` updates."""
        yield from super().learn(batch, items)
        if self.updates % self.config.index_interval == 0:
            self.index_anew()

    def texts_moved(self) -> None:
        """Drop the projected items and their index: it must come out the same in a run that is resumed now."""
        super().texts_moved()
        self._index = None

    def target_value(self, observation: Observation, point: Tensor, items: Items, vectors: list[Tensor]) -> Tensor:
        """What it is worth `[B]` to follow the target networks' policy from the proposal `point` `[B, d]`."""
        self._proposals = point[:MEASURED_POINTS]
        _, q = self.judged(self.target_critics, observation, point, items, vectors)
        return q.topk(self.spec.slate_size, dim=1).values.mean(dim=1)

    def judged(
        self, critics: nn.ModuleList, observation: Observation, point: Tensor, items: Items, vectors: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The items near each proposal `[B, d]` and the least of the critics' values of each, both `[B, k]`; -inf where there is none."""
        index = self.index_of(items) if observation.candidates is None else None
        near = nearest_items(index, vectors[0], observation, point, self.config.neighbors)
        embedded = self._embedded(critics, near.clamp(min=0), items, vectors[0])
        q = self.evaluate(critics, observation, embedded, vectors).amin(dim=2)
        return near, q.masked_fill(near == PAD, -torch.inf)

    def _embedded(self, critics: nn.ModuleList, near: Tensor, items: Items, vectors: Tensor) -> list[Tensor]:
        """The items `near` `[B, k]`, whose vectors are among all `[R, d]`, as each critic embeds them: `[B, k, H]` each."""
        if not items.lookup and len(vectors) < near.numel():
            # fewer than were found: each is embedded once, however many proposals it is near to
            points = unit(vectors)
            return [F.embedding(near, critic.embed(points)) for critic in critics]
        if items.lookup:
            found = unit(critics[0].state_tracker.project_items(near.flatten())).view(*near.shape, -1)
        else:
            found = self.points_of(near, vectors)
        return [critic.embed(found) for critic in critics]

    def point_size(self, state_tracker: StateTracker) -> int:
        """d, the length of an item vector."""
        return state_tracker.item_dim

    def points_of(self, slate: Tensor, vectors: Tensor) -> Tensor:
        """The vectors `[B, K, d]` of items `[B, K]`, of all `[M, d]`."""
        return unit(F.embedding(slate, vectors))

    def perturbed(self, point: Tensor, deviation: float, clip: float = torch.inf) -> Tensor:
        """`point` `[B, d]` and Gaussian noise of about the length `deviation`, scaled back to length 1."""
        scale = point.shape[1] ** -0.5
        noise = deviation * torch.randn(point.shape, generator=self.generator, device=point.device)
        return unit(point + scale * noise.clamp(-clip, clip))

    @torch.no_grad()
    def diagnostics(self) -> dict[str, Tensor | float]:
        """DDPG's, and recall@k: how many of the items that are nearest to proposals as vectors are now the index finds.

        In a large catalogue, an approximate index's recall is that of when it was built, among the vectors it was built of: to project
        all items for every look would cost what training is spared. An exact one is over working sets, and has none.
        """
        if self.working_set.in_use:
            return super().diagnostics() | ({} if self._recall is None else {"index_recall": self._recall})
        if self._proposals is None:
            return super().diagnostics()
        whole = self.working_set.whole
        now = ExactIndex(unit(whole.vectors(self.critics[0].state_tracker)))
        return super().diagnostics() | {"index_recall": self._recall_of(self.index_of(whole), now)}

    def get_extra_state(self) -> dict[str, Any]:
        """DDPG's, and the recall that was measured as the index was built."""
        return super().get_extra_state() | {"recall": self._recall}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self._index = self._proposals = None
        self._recall = state["recall"]


def build_ddpg(config: DDPGConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> Agent:
    """DDPG in the form that the environment's actions ask for."""
    form = Wolpertinger if spec.actions == "items" else DDPG
    return form(config, spec, state_tracker, seed=seed)
