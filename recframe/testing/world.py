"""A minimal environment and state tracker for testing agents; also an example of both contracts."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor, nn

from recframe.interfaces import (
    PAD,
    Data,
    Environment,
    EnvironmentSpec,
    History,
    Observation,
    Response,
    StateTracker,
    Step,
    Truth,
    restore_generator,
)
from recframe.testing.toy import random_candidates, random_exclusions

LEAVE_PROBABILITY = 0.15
TIME_LIMIT = 8


class ToyEnvironment(Environment):
    """Users click on items that resemble their profile, rate by the same taste, and leave at random or after `TIME_LIMIT` steps.

    With continuous actions, number a of an action is the degree to which item a is shown.
    """

    def __init__(self, spec: EnvironmentSpec, data: Data) -> None:
        if data.users is None or data.users.profiles is None or data.users.profiles.vectors is None or data.catalog.text_vectors is None:
            raise ValueError("the toy environment needs text vectors of items and of users' profiles")
        self.spec = spec
        similarity = data.users.profiles.vectors @ data.catalog.text_vectors.T
        self.taste = similarity / similarity.std()
        self.click_probability = self.taste.sigmoid()
        self.num_contexts = len(data.contexts.texts) if data.contexts else 1
        self.generator = torch.Generator(spec.device)
        self.reset(0)

    def reset(self, seed: int) -> Observation:
        """Start N new sessions."""
        spec = self.spec
        self.generator.manual_seed(seed)
        self.history = History(spec.num_users, spec.history_length, spec.signals, spec.device)
        self.steps = torch.zeros(spec.num_users, dtype=torch.int64, device=spec.device)
        self.user = self._integers(len(self.click_probability))
        self._draw_visit()
        return self._observation()

    def step(self, slate: Tensor) -> Step:
        """Show the slate and observe."""
        spec = self.spec
        uniform = torch.rand(spec.num_users, spec.slate_size, generator=self.generator, device=spec.device)
        probability = self._click_probability(slate)
        values = {"click": (uniform < probability).float(), "rating": 1 + (4 * probability).round()}
        terminated = torch.rand(spec.num_users, generator=self.generator, device=spec.device) < LEAVE_PROBABILITY
        signals = TensorDict({name: values[name] for name in spec.signals}, batch_size=[spec.num_users])
        response = Response(signals=signals, leave=terminated, batch_size=[spec.num_users])
        if spec.actions == "items":
            self.history.append(slate, response)
        self.steps = self.steps + 1
        truncated = (self.steps >= TIME_LIMIT) & ~terminated
        self._draw_visit()
        next_observation = self._observation()
        finished = terminated | truncated
        self.history.clear(finished)
        self.steps = self.steps.masked_fill(finished, 0)
        # drawn for all users, finished or not: the number of draws per step must not depend on the slates
        self.user = torch.where(finished, self._integers(len(self.click_probability)), self.user)
        return Step(response, next_observation, self._observation(), terminated, truncated)

    def state_dict(self) -> dict[str, Any]:
        """The complete state."""
        own = {name: getattr(self, name) for name in ("user", "steps", "candidates", "excluded", "context", "features")}
        return {**own, "history": self.history.state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        """Restore a saved state."""
        for name in ("user", "steps", "candidates", "excluded", "context", "features"):
            setattr(self, name, state[name])
        self.history.load_state_dict(state["history"])
        restore_generator(self.generator, state["generator"])
        return self._observation()

    def truth(self) -> Truth | None:
        """The expected response to every item; None with continuous actions."""
        if self.spec.actions == "continuous":
            return None
        probability = self.click_probability[self.user]
        values = {"click": probability, "rating": 1 + (4 * probability).round()}
        return Truth({name: values[name] for name in self.spec.signals}, torch.full_like(probability, LEAVE_PROBABILITY))

    def _click_probability(self, slate: Tensor) -> Tensor:
        """The click probability of each item of the slate, `[N, K]`."""
        if self.spec.actions == "items":
            return self.click_probability[self.user.unsqueeze(1), slate]
        low, high = (torch.tensor(bounds, device=self.spec.device) for bounds in (self.spec.action_low, self.spec.action_high))
        share = (2 * (slate - low) / (high - low) - 1) * self.taste[self.user, : self.spec.action_size]
        return share.sum(dim=1, keepdim=True).sigmoid()

    def _integers(self, limit: int) -> Tensor:
        return torch.randint(limit, (self.spec.num_users,), generator=self.generator, device=self.spec.device)

    def _draw_visit(self) -> None:
        """Draw the candidates, exclusions, context and features of a visit that the specification declares."""
        spec = self.spec
        self.candidates = random_candidates(spec, spec.num_users, self.generator) if spec.num_candidates else None
        self.excluded = random_exclusions(spec, self.candidates, spec.num_users, self.generator) if spec.num_excluded else None
        self.context = self._integers(self.num_contexts) if spec.has_context else None
        shape = (spec.num_users, spec.num_features)
        self.features = torch.randn(shape, generator=self.generator, device=spec.device) if spec.num_features else None

    def _observation(self) -> Observation:
        return Observation(
            user=self.user,
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            candidates=self.candidates,
            excluded=self.excluded,
            context=self.context,
            features=self.features,
            batch_size=[self.spec.num_users],
        )


class ToyTracker(StateTracker):
    """Sums item vectors weighted by their feedback and adds the profile; a state has 8 dims."""

    def __init__(self, spec: EnvironmentSpec, data: Data) -> None:
        super().__init__(spec, data, item_dim=8)
        self.state_dim = 8
        self.feedback = nn.Linear(len(spec.signals), 8, device=spec.device)
        self.profile = nn.Embedding(len(data.users) if data.users else 1, 8, device=spec.device)

    def forward(self, observation: Observation, items: Tensor) -> Tensor:
        """The state `[N, S]`."""
        present = (observation.history_items != PAD).unsqueeze(-1)
        entries = items[observation.history_items.clamp(min=0)] * self.feedback(observation.history_feedback)
        state: Tensor = (entries * present).sum(dim=1).tanh() + self.profile(observation.user)
        return state
