"""DDPG and TD3: an actor that follows the gradient of its critic's value of an action."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import Decision, EnvironmentSpec, Experience, Observation, Replay, StateTracker, Transition, own_draws
from recframe.item_agents import ItemAgent, Items, TargetUpdate, adam
from recframe_plugins.agents.ddpg.config import DDPGConfig


class Actor(nn.Module):
    """mu(s): a point of the action space, `[N, A]`; `squash` maps the layers' output into the space."""

    def __init__(self, state_tracker: StateTracker, hidden: Sequence[int], size: int, squash: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.size = size
        self.layers = perceptron([state_tracker.state_dim, *hidden, size], state_tracker.spec.device)
        self.squash = squash

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The point to act at, given all item vectors `[M, d]`."""
        return self.squash(self.layers(self.state_tracker(observation, items)))


class Critic(nn.Module):
    """Q(s, a): layers on [s | a], where s is the state that `state_tracker` computes from an observation."""

    def __init__(self, state_tracker: StateTracker, hidden: Sequence[int], size: int) -> None:
        super().__init__()
        self.state_tracker = state_tracker
        self.layers = perceptron([state_tracker.state_dim + size, *hidden, 1], state_tracker.spec.device)

    @property
    def first(self) -> nn.Linear:
        """The first layer."""
        return cast(nn.Linear, self.layers[0])

    def forward(self, state: Tensor, points: Tensor) -> Tensor:
        """Values `[N, P]` of P points `[N, P, A]` of each user, whose state is `[N, S]`."""
        return self.value(state, self.embed(points))

    def embed(self, points: Tensor) -> Tensor:
        """The part of the first layer's output that depends on points `[..., A]` alone: `[..., H]`."""
        return F.linear(points, self.first.weight[:, self.state_tracker.state_dim :])

    def value(self, state: Tensor, embedded: Tensor) -> Tensor:
        """Values `[N, P]` of P points of each user, given as `embedded` `[N, P, H]`, which is overwritten."""
        first = self.first
        # all points of a user share the state's part of the first layer
        embedded += F.linear(state, first.weight[:, : self.state_tracker.state_dim], first.bias).unsqueeze(1)
        values: Tensor = self.layers[1:](embedded).squeeze(2)
        return values


def perceptron(sizes: Sequence[int], device: torch.device) -> nn.Sequential:
    """Linear layers of these sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, device=device), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


class Critics(nn.ModuleList):
    """One critic, or the two of TD3."""

    def __iter__(self) -> Iterator[Critic]:
        return cast(Iterator[Critic], super().__iter__())

    @property
    def main(self) -> Critic:
        """The first critic, whose value the actor maximizes."""
        return next(iter(self))


class DDPG(ItemAgent):
    """Deep deterministic policy gradient (Lillicrap et al., 2016, arXiv:1509.02971) for continuous actions.

    With two critics, a delayed actor and noise on the target's action it is TD3 (Fujimoto et al., 2018, arXiv:1802.09477). Internally,
    every action is a point of [-1, 1]^A. The actor and each critic have their own state tracker.

    Parameters
    ----------
    actor: a policy over another space than [-1, 1]^A, for subclasses.
    uses_index: see `ItemAgent`.
    """

    def __init__(
        self,
        config: DDPGConfig,
        spec: EnvironmentSpec,
        state_tracker: StateTracker,
        *,
        seed: int,
        actor: Actor | None = None,
        uses_index: bool = False,
    ) -> None:
        super().__init__(config, spec, seed=seed, uses_index=uses_index)
        self.config = config
        self.low, self.high = (torch.tensor(bound, device=spec.device) for bound in (spec.action_low, spec.action_high))
        trackers = [copy.deepcopy(state_tracker) for _ in range(config.critics)]
        self.actor = Actor(state_tracker, config.hidden_sizes, spec.action_size, torch.tanh) if actor is None else actor
        self.critics = Critics(Critic(tracker, config.hidden_sizes, self.actor.size) for tracker in trackers)
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

    def project(self, items: Items) -> Any:
        """The actor's item vectors."""
        return items.vectors(self.actor.state_tracker)

    def decide(self, observation: Observation, items: Items, vectors: Any, explore: bool) -> Decision:
        """The actor's action, in exploration with Gaussian noise; for the first `random_steps`, a uniformly random action."""
        point = self.actor(observation, vectors)
        if explore and self.env_steps < self.config.random_steps:
            size = point.shape[1]
            point = 2 * own_draws(lambda n: torch.rand(n, size, generator=self.generator, device=point.device), len(point)) - 1
        elif explore:
            point = self.with_noise(point, self.config.exploration_noise)
        return Decision(torch.lerp(self.low, self.high, (point + 1) / 2))

    def learn(self, batch: Transition, items: Items) -> Iterator[tuple[str, Tensor]]:
        """The critics' loss; then, in every `actor_interval`-th update, the actor's loss and the move of the target networks."""
        td_target = self.td_target(batch, items)
        q = self.q_of_shown(batch, items)
        self._mean_q = q.detach().mean()
        # summed over the critics, which share the target
        yield "critic", (q - td_target.unsqueeze(1)).square().mean(dim=0).sum()

        self.updates += 1
        if self.updates % self.config.actor_interval == 0:
            yield "actor", self.actor_loss(batch, items)
            self._move_targets()

    @torch.no_grad()
    def td_target(self, batch: Transition, items: Items) -> Tensor:
        """Targets `[B]`: r + gamma min_j Q'_j(s', mu'(s') + clipped noise), with target networks mu' and Q'_j."""
        observation = batch.next_observation
        point = self.target_actor(observation, items.vectors(self.target_actor.state_tracker))
        point = self.with_noise(point, self.config.target_noise, self.config.target_noise_clip)
        next_q = critic_values(self.target_critics, observation, point, items).amin(dim=1)
        # a truncated session would have gone on, so it bootstraps; only a terminated one has no future
        return batch.reward + self.config.gamma * next_q.masked_fill(batch.terminated, 0.0)

    def q_of_shown(self, batch: Transition, items: Items) -> Tensor:
        """Each critic's value of the action that was taken, `[B, number of critics]`."""
        point = 2 * (batch.slate - self.low) / (self.high - self.low) - 1
        return critic_values(self.critics, batch.observation, point, items)

    def actor_loss(self, batch: Transition, items: Items) -> Tensor:
        """-Q_1(s, mu(s)): its gradient is the deterministic policy gradient, equation (6)."""
        observation, critic, tracker = batch.observation, self.critics.main, self.critics.main.state_tracker
        with torch.no_grad():  # the critic's state does not depend on the actor
            state = tracker(observation, items.vectors(tracker))
        point = self.actor(observation, items.vectors(self.actor.state_tracker))
        value: Tensor = critic(state, point.unsqueeze(1))
        return -value.mean()

    def with_noise(self, point: Tensor, deviation: float, clip: float = torch.inf) -> Tensor:
        """`point` `[B, A]` plus Gaussian noise, each number of which is clipped to -clip to clip, within the action space."""
        noise = deviation * own_draws(lambda n: torch.randn(n, point.shape[1], generator=self.generator, device=point.device), len(point))
        return (point + noise.clamp(-clip, clip)).clamp(-1, 1)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for the critics and for the actor."""
        return {
            "critic": adam(self.critics.parameters(), self.config.critic_learning_rate),
            "actor": adam(self.actor.parameters(), self.config.actor_learning_rate),
        }

    def diagnostics(self) -> dict[str, Tensor | float]:
        """The mean value of the last batch."""
        return {} if self._mean_q is None else {"mean_q": self._mean_q}

    def get_extra_state(self) -> dict[str, Any]:
        """The state of `ItemAgent`, and the number of updates, which times the actor's."""
        return super().get_extra_state() | {"updates": self.updates}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore a saved state, and drop what was computed with other weights."""
        super().set_extra_state(state)
        self.updates = int(state["updates"])
        self._mean_q = None


def critic_values(critics: Critics, observation: Observation, point: Tensor, items: Items) -> Tensor:
    """Each critic's values of points `[B, A]`: `[B, number of critics]`."""
    states = [critic.state_tracker(observation, items.vectors(critic.state_tracker)) for critic in critics]
    return torch.cat([critic(state, point.unsqueeze(1)) for critic, state in zip(critics, states, strict=True)], dim=1)
