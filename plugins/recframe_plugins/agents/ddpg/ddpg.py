"""DDPG and TD3: an actor that climbs the gradient of what its critic says an action is worth."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Replay, StateTracker, Transition
from recframe.item_agents.item_agent import ItemAgent
from recframe.item_agents.optimization import TargetUpdate, adam
from recframe.item_agents.working_set import Items
from recframe_plugins.agents.ddpg.config import DDPGConfig


class Actor(nn.Module):
    """mu(s): a point of the action space, `[N, A]`; `squash` keeps it inside."""

    def __init__(self, state_tracker: StateTracker, hidden: Sequence[int], size: int, squash: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.layers = perceptron([state_tracker.state_dim, *hidden, size], state_tracker.spec.device)
        self.squash = squash

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The point to act at, given all item vectors `[M, d]`."""
        return self.squash(self.layers(self.state_tracker(observation, items)))


class Critic(nn.Module):
    """Q(s, a), where s is what `state_tracker` makes of an observation."""

    def __init__(self, state_tracker: StateTracker, hidden: Sequence[int], size: int) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.layers = perceptron([state_tracker.state_dim + size, *hidden, 1], state_tracker.spec.device)

    def forward(self, state: Tensor, points: Tensor) -> Tensor:
        """Values `[N, P]` of P points `[N, P, A]` of each user, whose state is `[N, S]`."""
        return self.value(state, self.embed(points))

    def embed(self, points: Tensor) -> Tensor:
        """What the first layer of [state | point] makes of points `[..., A]`, whatever the state: `[..., H]`."""
        return F.linear(points, self.layers[0].weight[:, self.state_tracker.state_dim :])

    def value(self, state: Tensor, embedded: Tensor) -> Tensor:
        """Values `[N, P]` of P points of each user, `embedded` `[N, P, H]`, which is overwritten."""
        first = self.layers[0]
        # all of a user's points share the state's part
        embedded += F.linear(state, first.weight[:, : self.state_tracker.state_dim], first.bias).unsqueeze(1)
        values: Tensor = self.layers[1:](embedded).squeeze(2)
        return values


def perceptron(sizes: Sequence[int], device: torch.device) -> nn.Sequential:
    """Linear layers of those sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, device=device), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class DDPG(ItemAgent):
    """Deep deterministic policy gradient (Lillicrap et al., 2016, arXiv:1509.02971), here of continuous actions.

    With two critics, a delayed actor and noise on the target's action it is TD3 (Fujimoto et al., 2018, arXiv:1802.09477). Inside, every
    action is a point of [-1, 1]^A. Actor and critics each read the observation with a state tracker of their own.
    """

    squash = staticmethod(torch.tanh)

    def __init__(self, config: DDPGConfig, spec: EnvironmentSpec, state_tracker: StateTracker, *, seed: int) -> None:
        super().__init__(config, spec, seed=seed, searched=config.index == "approximate")
        self.config = config
        self.low, self.high = (torch.tensor(bound, device=spec.device) for bound in (spec.action_low, spec.action_high))
        size = self.point_size(state_tracker)
        trackers = [copy.deepcopy(state_tracker) for _ in range(config.critics)]
        self.actor = Actor(state_tracker, config.hidden_sizes, size, self.squash)
        self.critics = nn.ModuleList(Critic(tracker, config.hidden_sizes, size) for tracker in trackers)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        targets, trained = (nn.ModuleList(pair) for pair in ((self.target_actor, self.target_critics), (self.actor, self.critics)))
        self._move_targets = TargetUpdate(targets, trained, config.target_update_rate)
        self.updates = 0
        self._mean_q: Tensor | None = None

    @property
    def experience(self) -> Experience:
        """A replay memory."""
        config = self.config
        return Replay(config.replay_capacity, config.batch_size, config.learning_starts, config.updates_per_chunk)

    def project(self, items: Items) -> list[Tensor]:
        """The item vectors of the actor and of each critic."""
        return vectors_of([self.actor, *self.critics], items)

    def decide(self, observation: Observation, items: Items, vectors: list[Tensor], explore: bool) -> Decision:
        """The actor's action, in exploring with Gaussian noise; for the first `random_steps` a uniformly random one."""
        point = self.actor(observation, vectors[0])
        if explore and self.env_steps < self.config.random_steps:
            point = 2 * torch.rand(point.shape, generator=self.generator, device=point.device) - 1
        elif explore:
            point = self.perturbed(point, self.config.exploration_noise)
        return Decision(torch.lerp(self.low, self.high, (point + 1) / 2))

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The critics' loss, then the actor's; after that, the targets' move. With `actor_interval` d both come every d-th time."""
        td_target = self.td_target(batch, items)
        vectors = vectors_of(self.critics, items)
        points = self.points_of(batch.slate, vectors[0])
        q = self.evaluate(self.critics, batch.observation, [critic.embed(points) for critic in self.critics], vectors).mean(dim=1)
        self._mean_q = q.detach().mean()
        # summed over critics, each of which learns the same target
        yield "critic", (q - td_target.unsqueeze(1)).square().mean(dim=0).sum()

        self.updates += 1
        if self.updates % self.config.actor_interval == 0:
            yield "actor", self.actor_loss(batch.observation, items)
            self._move_targets()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items) -> Tensor:
        """Targets `[B]`: r + gamma min_j Q'_j(s', mu'(s') + clipped noise), with target networks mu' and Q'_j."""
        observation = batch.next_observation
        vectors = vectors_of([self.target_actor, *self.target_critics], items)
        point = self.target_actor(observation, vectors[0])
        point = self.perturbed(point, self.config.target_noise, self.config.target_noise_clip)
        next_q = self.target_value(observation, point, items, vectors[1:])
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        return batch.reward + self.config.gamma * next_q.masked_fill(batch.terminated, 0.0)

    def target_value(self, observation: Observation, point: Tensor, items: Items, vectors: list[Tensor]) -> Tensor:
        """What it is worth `[B]` to act at the target actor's `point` `[B, A]`: the smallest of the target critics' values."""
        embedded = [critic.embed(point.unsqueeze(1)) for critic in self.target_critics]
        return self.evaluate(self.target_critics, observation, embedded, vectors)[:, 0].amin(dim=1)

    def actor_loss(self, observation: Observation, items: Items) -> Tensor:
        """-Q_1(s, mu(s)): its gradient is the deterministic policy gradient, equation (6)."""
        critic, tracker = self.critics[0], self.critics[0].state_tracker
        with torch.no_grad():  # the critic's state does not depend on the actor
            state = tracker(observation, items.vectors(tracker))
        point = self.actor(observation, items.vectors(self.actor.state_tracker))
        value: Tensor = critic(state, point.unsqueeze(1))
        return -value.mean()

    def evaluate(self, critics: nn.ModuleList, observation: Observation, embedded: list[Tensor], vectors: list[Tensor]) -> Tensor:
        """Each critic's values of P points that it has `embedded` `[B, P, H]`, with its own item vectors: `[B, P, number of critics]`."""
        states = [critic.state_tracker(observation, own) for critic, own in zip(critics, vectors, strict=True)]
        return torch.stack([critic.value(*each) for critic, *each in zip(critics, states, embedded, strict=True)], dim=2)

    def point_size(self, state_tracker: StateTracker) -> int:
        """A, the numbers in a point of the action space."""
        return self.spec.action_size

    def points_of(self, slate: Tensor, vectors: Tensor) -> Tensor:
        """The actions `[B, A]` as points `[B, 1, A]`."""
        return (2 * (slate - self.low) / (self.high - self.low) - 1).unsqueeze(1)

    def perturbed(self, point: Tensor, deviation: float, clip: float = torch.inf) -> Tensor:
        """`point` `[B, A]` and Gaussian noise, of which each number is clipped, kept within the action space."""
        noise = deviation * torch.randn(point.shape, generator=self.generator, device=point.device)
        return (point + noise.clamp(-clip, clip)).clamp(-1, 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for the critics and for the actor."""
        return {
            "critic": adam(self.critics.parameters(), self.config.critic_learning_rate),
            "actor": adam(self.actor.parameters(), self.config.actor_learning_rate),
        }

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The last batch's mean value."""
        return {} if self._mean_q is None else {"mean_q": self._mean_q}

    def get_extra_state(self) -> dict[str, Any]:
        """The agent's, and the number of updates: it times the actor's."""
        return super().get_extra_state() | {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up a saved state, and drop what was computed under other weights."""
        super().set_extra_state(state)
        self.updates = int(state["updates"])
        self._mean_q = None


def vectors_of(networks: Iterable[nn.Module], items: Items) -> list[Tensor]:
    """The items' vectors as each network's own state tracker has them."""
    return [items.vectors(network.state_tracker) for network in networks]
