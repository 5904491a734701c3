"""A toy world with known truth: users like items near their taste, tire of items shown recently, and leave when bored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
import pytest
import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.interfaces import (
    Catalog,
    Data,
    Environment,
    EnvironmentSpec,
    History,
    Observation,
    Response,
    Step,
    Texts,
    Transition,
    Truth,
    Users,
)


class ToyEnvironment(Environment):
    """Click with probability sigmoid(4 taste . item + appeal - 3 (shown recently)); users leave more often when they clicked nothing.

    Candidates, if any, are drawn again at each turn.
    """

    def __init__(
        self, data: Data, num_users: int, split: str, *, slate_size=1, history_length=6, num_candidates=0, knows_truth=True, horizon=20
    ) -> None:
        self.data, self.knows_truth, self.horizon = data, knows_truth, horizon
        self.spec = EnvironmentSpec(num_users, slate_size, history_length, len(data.catalog), ("click",), num_candidates)
        self.generator = torch.Generator()
        # users with even numbers are for training, those with odd numbers for evaluation
        self.offset = 0 if split == "train" else 1
        self.resets: list[int] = []

    def reset(self, seed: int) -> Observation:
        self.resets.append(seed)
        self.generator.manual_seed(seed)
        n = self.spec.num_users
        self.user = self._new_users()
        self.turn = torch.zeros(n, dtype=torch.int64)
        self.history = History(n, self.spec.history_length, self.spec.signals, "cpu")
        self._draw_candidates()
        return self._observe()

    def _new_users(self) -> Tensor:
        return 2 * torch.randint(len(self.data.users) // 2, (self.spec.num_users,), generator=self.generator) + self.offset

    def _draw_candidates(self) -> None:
        noise = torch.rand(self.spec.num_users, self.spec.num_items, generator=self.generator)
        c = self.spec.num_candidates
        self.candidates = noise.topk(c, dim=1).indices if c else None

    def _observe(self) -> Observation:
        return Observation(
            user=self.user,
            history_items=self.history.items,
            history_feedback=self.history.feedback,
            candidates=self.candidates,
            batch_size=[self.spec.num_users],
        )

    def _probabilities(self) -> tuple[Tensor, Tensor]:
        n, m = self.spec.num_users, self.spec.num_items
        vectors = self.data.catalog.text_vectors
        appeal = vectors[:, 0]
        shown = torch.zeros(n, m + 1).scatter(1, self.history.items % (m + 1), 1.0)[:, :-1]
        taste = self.data.users.profiles.vectors[self.user]
        click = torch.sigmoid(4.0 * taste @ vectors.T + appeal - 1.0 - 3.0 * shown)
        return click, 0.3 * (1.0 - click)

    def step(self, slate: Tensor) -> Step:
        n = self.spec.num_users
        if self.candidates is not None:
            assert (slate[:, :, None] == self.candidates[:, None, :]).any(-1).all(), "an item outside the candidates was shown"
        click, leave = (p.gather(1, slate) for p in self._probabilities())
        draws = torch.rand(n, self.spec.slate_size, generator=self.generator)
        clicked = (draws < click).float()
        left = torch.rand(n, generator=self.generator) < leave.mean(1)
        response = Response(signals=TensorDict({"click": clicked}, batch_size=[n]), leave=left, batch_size=[n])
        self.history.append(slate, response)
        self.turn = self.turn + 1
        truncated = (self.turn >= self.horizon) & ~left
        self._draw_candidates()
        next_observation = self._observe()
        finished = left | truncated
        self.user = torch.where(finished, self._new_users(), self.user)
        self.turn = self.turn.masked_fill(finished, 0)
        self.history.clear(finished)
        return Step(response, next_observation, self._observe(), left, truncated)

    def truth(self) -> Truth | None:
        if not self.knows_truth:
            return None
        click, leave = self._probabilities()
        return Truth({"click": click}, leave)

    def state_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> Observation:
        raise NotImplementedError


class ClickReward:
    """A reward of one per click, with the methods of `RewardSum` that evaluation calls."""

    def __call__(self, transition: Transition) -> tuple[Tensor, dict[str, Tensor]]:
        click = transition.response.signals["click"]
        return 1.0 * click, {"click": click.sum(1)}

    def itemwise(self, signals: dict[str, Tensor]) -> Tensor:
        return 1.0 * signals["click"]


class World(NamedTuple):
    data: Data
    rewards: ClickReward

    @property
    def catalog(self) -> Catalog:
        return self.data.catalog

    def environment(self, split: str = "evaluation", num_users: int = 64, **options: Any) -> ToyEnvironment:
        return ToyEnvironment(self.data, num_users, split, **options)


@dataclass
class Worlds:
    dim: int = 8

    def __call__(self, num_items: int = 40, num_people: int = 400) -> World:
        generator = torch.Generator().manual_seed(5)
        items = torch.nn.functional.normalize(torch.randn(num_items, self.dim, generator=generator), dim=1)
        people = torch.nn.functional.normalize(torch.randn(num_people, self.dim, generator=generator), dim=1)
        catalog = Catalog(
            ids=[f"i{i}" for i in range(num_items)],
            texts=[f"text {i}" for i in range(num_items)],
            attributes=pl.DataFrame({"title": [f"Title {i}" for i in range(num_items)]}),
            popularity=torch.rand(num_items, generator=generator) * 100,
            text_vectors=items,
        )
        users = Users([f"u{i}" for i in range(num_people)], Texts([f"profile {i}" for i in range(num_people)], people))
        return World(Data(catalog, users), ClickReward())


@pytest.fixture(scope="session")
def make_world() -> Worlds:
    return Worlds()


@pytest.fixture(scope="session")
def world(make_world: Worlds) -> World:
    return make_world()
